// The pure half of the S3 client: addresses, requests, replies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "store/s3_address.h"
#include "store/s3_reply.h"
#include "store/s3_request.h"

namespace millrace::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string url_of(const S3Address& address, std::string_view key) {
  const S3Target target = s3_target(address, key);
  return target.scheme + "://" + target.authority + target.path;
}

S3Address at(const char* endpoint, const char* bucket) {
  return {bucket, "eu-west-1", parse_endpoint_url(endpoint).value()};
}

TEST(S3Address, AmazonsBucketsAreInTheHostNameOthersInThePath) {
  const S3Address amazon{"bucket", "eu-west-1", std::nullopt};
  EXPECT_EQ(url_of(amazon, "a//b c+%/../\xc3\xa9"),
            "https://bucket.s3.eu-west-1.amazonaws.com/a//b%20c%2B%25/../%C3%A9");
  EXPECT_EQ(url_of(amazon, ""), "https://bucket.s3.eu-west-1.amazonaws.com/");
  EXPECT_EQ(url_of({"my.bucket", "eu-west-1", std::nullopt}, "k"),
            "https://s3.eu-west-1.amazonaws.com/my.bucket/k");
  EXPECT_EQ(url_of({"bucket", "cn-north-1", std::nullopt}, "k"),
            "https://bucket.s3.cn-north-1.amazonaws.com.cn/k");
  EXPECT_EQ(url_of(at("https://s3.us-east-2.amazonaws.com", "bucket"), "k"),
            "https://bucket.s3.us-east-2.amazonaws.com/k");
  EXPECT_EQ(url_of(at("http://localhost:7070/base/", "bucket"), "k"),
            "http://localhost:7070/base/bucket/k");
  EXPECT_EQ(url_of(at("http://localhost:7070", "bucket"), ""), "http://localhost:7070/bucket");
}

TEST(S3Request, ListByRawPrefix) {
  const S3Request first = list_request("in/a b", "");
  EXPECT_EQ(first.method, "GET");
  EXPECT_EQ(first.key, "");
  EXPECT_EQ(query_text(first.query), "encoding-type=url&list-type=2&prefix=in%2Fa%20b");
  EXPECT_EQ(query_text(list_request("", "t/+=").query),
            "continuation-token=t%2F%2B%3D&encoding-type=url&list-type=2");
}

TEST(S3Request, GetARangeOfOneVersion) {
  const S3Request request = get_request("k", 5, 10, "\"e\"");
  EXPECT_THAT(request.headers, ElementsAre(Pair("Range", "bytes=5-14"), Pair("If-Match", "\"e\"")));
  EXPECT_THAT(get_request("k", 0, 1, "").headers, ElementsAre(Pair("Range", "bytes=0-0")));
}

TEST(S3Request, WritesCarryTypeMetadataAndCondition) {
  WriteOptions options;
  options.content_type = "text/csv";
  options.metadata = {{"job", "j"}};
  options.overwrite = false;
  EXPECT_THAT(put_request("k", options, "body").headers,
              ElementsAre(Pair("Content-Type", "text/csv"), Pair("x-amz-meta-job", "j"),
                          Pair("If-None-Match", "*")));
  const S3Request create = create_upload_request("k", options);
  EXPECT_EQ(query_text(create.query), "uploads=");
  EXPECT_THAT(create.headers,
              ElementsAre(Pair("Content-Type", "text/csv"), Pair("x-amz-meta-job", "j")));
  EXPECT_TRUE(create.fresh_connection);
  EXPECT_THAT(complete_request("k", "id", options, "").headers,
              ElementsAre(Pair("Content-Type", "application/xml"), Pair("If-None-Match", "*")));
  EXPECT_THAT(put_request("k", {}, "").headers, IsEmpty());
}

TEST(S3Request, NamesTheKmsKeyWhereAnObjectBegins) {
  WriteOptions options;
  options.kms_key_id = "alias/nightly";
  const auto encrypted =
      ElementsAre(Pair("x-amz-server-side-encryption", "aws:kms"),
                  Pair("x-amz-server-side-encryption-aws-kms-key-id", "alias/nightly"));
  EXPECT_THAT(put_request("k", options, "body").headers, encrypted);
  EXPECT_THAT(create_upload_request("k", options).headers, encrypted);
  EXPECT_THAT(upload_part_request("k", "id", 1, "body").headers, IsEmpty());
}

TEST(S3Request, UploadCallsNameTheUpload) {
  EXPECT_EQ(query_text(upload_part_request("k", "i/d", 7, "").query),
            "partNumber=7&uploadId=i%2Fd");
  EXPECT_EQ(query_text(abort_request("k", "id").query), "uploadId=id");
  EXPECT_EQ(query_text(list_uploads_request("p", "", "").query),
            "encoding-type=url&prefix=p&uploads=");
  EXPECT_EQ(complete_body({{1, "\"a\""}, {2, "b&"}}),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            "<Part><PartNumber>1</PartNumber><ETag>&quot;a&quot;</ETag></Part>"
            "<Part><PartNumber>2</PartNumber><ETag>b&amp;</ETag></Part>"
            "</CompleteMultipartUpload>");
}

TEST(UploadPartBytes, TenThousandPartsSuffice) {
  uint64_t unknown = 0;
  for (uint32_t number = 1; number <= limits::kUploadPartsMax; ++number) {
    const uint64_t bytes = upload_part_bytes(number, 0);
    EXPECT_GE(bytes, limits::kUploadPartBytesMin);
    EXPECT_LE(bytes, uint64_t{5} << 30);
    unknown += bytes;
  }
  EXPECT_GE(unknown, uint64_t{5} << 40);
  EXPECT_EQ(upload_part_bytes(1, 0), limits::kUploadPartBytes);
  for (const uint64_t size : {uint64_t{1}, uint64_t{100} << 30, uint64_t{5} << 40}) {
    EXPECT_GE(upload_part_bytes(1, size) * 9000, size);
  }
}

TEST(S3Reply, Listing) {
  const auto listing = parse_listing(
      "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
      "<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>"
      "<NextContinuationToken>t&amp;</NextContinuationToken>"
      "<Contents><Key>a%2Fb+c%2B</Key><ETag>&quot;e&quot;</ETag><Size>12</Size></Contents>"
      "<Contents><Key>%20</Key><Size>5000000000000</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(listing);
  ASSERT_EQ(listing->objects.size(), 2u);
  EXPECT_EQ(listing->objects[0].key, "a/b c+");
  EXPECT_EQ(listing->objects[0].etag, "\"e\"");
  EXPECT_EQ(listing->objects[0].size, 12u);
  EXPECT_EQ(listing->objects[1].key, " ");
  EXPECT_EQ(listing->objects[1].size, 5000000000000u);
  EXPECT_EQ(listing->continuation, "t&");
}

TEST(S3Reply, WithoutEncodingTypeKeysAreTakenAsTheyStand) {
  const auto listing = parse_listing(
      "<ListBucketResult><Contents><Key>a+b%20</Key><Size>0</Size></Contents>"
      "<Contents><Key> </Key><Size>0</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(listing);
  EXPECT_EQ(listing->objects[0].key, "a+b%20");
  EXPECT_EQ(listing->objects[1].key, " ");
}

TEST(S3Reply, MalformedRepliesAreErrors) {
  for (const char* xml :
       {"", "<", "<html></html>", "<ListBucketResult>", "not xml",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k</Key><Size>x</Size></Contents></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k</Key><Size>-1</Size></Contents></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key><Size>1</Size>"
        "</Contents></ListBucketResult>"}) {
    EXPECT_FALSE(parse_listing(xml)) << xml;
  }
  EXPECT_FALSE(parse_upload_id("<InitiateMultipartUploadResult/>"));
  EXPECT_FALSE(parse_completed(""));
  EXPECT_FALSE(parse_sts_reply("<AssumeRoleResponse/>"));
}

TEST(S3Reply, UploadsErrorsAndCompletion) {
  const auto uploads = parse_upload_listing(
      "<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
      "<NextUploadIdMarker>i</NextUploadIdMarker><Upload><Key>k</Key><UploadId>i</UploadId>"
      "<Initiated>2026-11-22T12:00:00.000Z</Initiated></Upload></ListMultipartUploadsResult>");
  ASSERT_TRUE(uploads);
  EXPECT_EQ(uploads->uploads.at(0).id, "i");
  EXPECT_EQ(uploads->uploads.at(0).initiated, parse_iso8601("2026-11-22T12:00:00Z"));
  EXPECT_TRUE(uploads->truncated);
  EXPECT_EQ(uploads->next_key, "k");

  const std::string declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
  const std::string body =
      "<Error><Code>SlowDown</Code><Message>m</Message><Region>r</Region><RequestId>q</RequestId>"
      "</Error>";
  // While it completes an upload S3 sends white space, before or after the declaration.
  for (const std::string& xml :
       {body, "  \n " + declaration + body, declaration + " \n  " + body}) {
    const auto error = parse_error_body(xml);
    ASSERT_TRUE(error) << xml;
    EXPECT_EQ(error->code, "SlowDown");
    EXPECT_EQ(error->message, "m");
    EXPECT_EQ(error->region, "r");
    EXPECT_EQ(error->request_id, "q");
  }
  EXPECT_FALSE(parse_error_body("<html><body>Error</body></html>"));
  EXPECT_EQ(parse_completed("<X><ETag>\"e\"</ETag></X>").value(), "\"e\"");
}

}  // namespace
}  // namespace millrace::store
