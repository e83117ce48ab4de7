// AWS's profile files: any bytes are read without a crash, and a file read twice says the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "store/aws_files.h"

namespace store = millrace::store;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  store::AwsFiles once, twice;
  store::read_aws_config(text, &once);
  store::read_aws_config(text, &twice);
  store::read_aws_config(text, &twice);
  MR_CHECK(once.profiles == twice.profiles && once.services == twice.services);
  store::AwsFiles keys;
  store::read_aws_credentials(text, &keys);
  MR_CHECK(keys.sso_sessions.empty());
  return 0;
}
