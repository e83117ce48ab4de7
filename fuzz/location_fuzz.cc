// Whatever a user writes for a place, an endpoint or a moment: refused or taken apart, never a
// crash; a key that is taken for a path names nothing above its root.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/clock.h"
#include "base/sigv4.h"
#include "base/uri.h"
#include "store/file_path.h"
#include "store/object_store.h"

namespace store = millrace::store;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto place = store::parse_location(text)) {
    MR_CHECK((place->kind == store::Location::Kind::kS3) == !place->bucket.empty());
  }
  if (const auto url = millrace::parse_endpoint_url(text)) {
    const auto again = millrace::parse_endpoint_url(url->text());
    MR_CHECK(again && again->text() == url->text());
  }
  if (const auto path = store::parse_key(text)) {
    for (const std::string& folder : path->folders) MR_CHECK(folder != ".." && !folder.empty());
    MR_CHECK(path->name != ".." && path->name != ".");
  }
  MR_CHECK(millrace::percent_decode(millrace::percent_encode(text)).value() == text);
  (void)millrace::parse_iso8601(text);
  (void)millrace::parse_http_date(text);
  const millrace::SigV4Request request{"GET", std::string(text), std::string(text), {}, ""};
  (void)millrace::sigv4_canonical_request(request, millrace::SigV4Path::kNormalized);
  return 0;
}
