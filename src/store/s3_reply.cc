#include "store/s3_reply.h"

#include <charconv>
#include <pugixml.hpp>

#include "base/uri.h"

namespace millrace::store {
namespace {

// Text that is only spaces is kept: it may be a key.
constexpr unsigned int kParse =
    pugi::parse_cdata | pugi::parse_escapes | pugi::parse_ws_pcdata_single;

Error malformed(std::string_view what) {
  return internal_error("the server's " + std::string(what) + " is malformed (is it S3?)");
}

bool load(std::string_view xml, pugi::xml_document* document) {
  return static_cast<bool>(
      document->load_buffer(xml.data(), xml.size(), kParse, pugi::encoding_utf8));
}

std::string text_of(const pugi::xml_node& node, const char* child) {
  return node.child(child).text().get();
}

// A text that the server encoded because we asked for it, if it says that it did.
Result<std::string> decoded(const pugi::xml_node& root, std::string text) {
  if (text_of(root, "EncodingType") != "url") return text;
  return percent_decode(text, true);
}

Result<ObjectInfo> parse_entry(const pugi::xml_node& root, const pugi::xml_node& entry) {
  ObjectInfo object;
  auto key = decoded(root, text_of(entry, "Key"));
  if (!key) return fail(malformed("listing").within(key.error().message));
  object.key = *std::move(key);
  object.etag = text_of(entry, "ETag");
  const std::string size = text_of(entry, "Size");
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), object.size);
  if (object.key.empty() || error != std::errc() || end != size.data() + size.size()) {
    return fail(malformed("listing"));
  }
  return object;
}

}  // namespace

Result<S3Listing> parse_listing(std::string_view xml) {
  pugi::xml_document document;
  if (!load(xml, &document)) return fail(malformed("listing"));
  const pugi::xml_node root = document.child("ListBucketResult");
  if (!root) return fail(malformed("listing"));
  S3Listing listing;
  for (const pugi::xml_node& entry : root.children("Contents")) {
    MR_ASSIGN(ObjectInfo object, parse_entry(root, entry));
    listing.objects.push_back(std::move(object));
  }
  if (text_of(root, "IsTruncated") == "true") {
    listing.continuation = text_of(root, "NextContinuationToken");
    if (listing.continuation.empty()) {
      return fail(malformed("listing").within("truncated without a continuation token"));
    }
  }
  return listing;
}

Result<S3UploadListing> parse_upload_listing(std::string_view xml) {
  pugi::xml_document document;
  if (!load(xml, &document)) return fail(malformed("list of uploads"));
  const pugi::xml_node root = document.child("ListMultipartUploadsResult");
  if (!root) return fail(malformed("list of uploads"));
  S3UploadListing listing;
  for (const pugi::xml_node& entry : root.children("Upload")) {
    S3UploadEntry upload;
    MR_ASSIGN(upload.key, decoded(root, text_of(entry, "Key")));
    upload.id = text_of(entry, "UploadId");
    upload.initiated = parse_iso8601(text_of(entry, "Initiated"));
    if (upload.id.empty()) return fail(malformed("list of uploads"));
    listing.uploads.push_back(std::move(upload));
  }
  listing.truncated = text_of(root, "IsTruncated") == "true";
  MR_ASSIGN(listing.next_key, decoded(root, text_of(root, "NextKeyMarker")));
  listing.next_id = text_of(root, "NextUploadIdMarker");
  return listing;
}

Result<std::string> parse_upload_id(std::string_view xml) {
  pugi::xml_document document;
  std::string id;
  if (load(xml, &document)) {
    id = text_of(document.child("InitiateMultipartUploadResult"), "UploadId");
  }
  if (id.empty()) return fail(malformed("reply to CreateMultipartUpload"));
  return id;
}

Result<std::string> parse_completed(std::string_view xml) {
  pugi::xml_document document;
  std::string etag;
  // Not asked for by name: some servers give the root element another.
  if (load(xml, &document)) etag = text_of(document.document_element(), "ETag");
  if (etag.empty()) return fail(malformed("reply to CompleteMultipartUpload"));
  return etag;
}

std::optional<S3ErrorBody> parse_error_body(std::string_view xml) {
  pugi::xml_document document;
  if (!load(xml, &document)) return std::nullopt;
  const pugi::xml_node response = document.child("ErrorResponse");
  const pugi::xml_node error = response ? response.child("Error") : document.child("Error");
  if (!error) return std::nullopt;
  S3ErrorBody body{text_of(error, "Code"), text_of(error, "Message"), text_of(error, "Region"),
                   text_of(error, "RequestId")};
  if (body.request_id.empty() && response) body.request_id = text_of(response, "RequestId");
  return body;
}

Result<StsReply> parse_sts_reply(std::string_view xml) {
  pugi::xml_document document;
  if (!load(xml, &document)) return fail(malformed("reply from STS"));
  pugi::xml_node credentials;  // <AssumeRoleResponse><AssumeRoleResult><Credentials>
  for (const pugi::xml_node& result : document.document_element().children()) {
    if (!credentials) credentials = result.child("Credentials");
  }
  StsReply reply{text_of(credentials, "AccessKeyId"), text_of(credentials, "SecretAccessKey"),
                 text_of(credentials, "SessionToken"), text_of(credentials, "Expiration")};
  if (reply.access_key.empty() || reply.secret_key.empty()) {
    return fail(malformed("reply from STS"));
  }
  return reply;
}

}  // namespace millrace::store
