// The S3 store against a fake that fails on demand: for each call, failing it in each way leaves
// the whole object or none, and no upload behind.
#include "store/s3_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "store/fake_s3.h"
#include "store/s3_upload.h"

namespace millrace::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Fault = FakeS3::Fault;
using Request = FakeS3::Request;

class Journal final : public UploadJournal {
 public:
  Status upload_intent(std::string_view key) override {
    open = true;
    lines.push_back("intent " + std::string(key));
    return {};
  }
  Status upload_started(std::string_view, std::string_view id) override {
    lines.push_back("started " + std::string(id));
    if (fail_started) return fail(internal_error("journal: disk full"));
    return {};
  }
  Status upload_ended(std::string_view key) override {
    open = false;
    lines.push_back("ended " + std::string(key));
    return {};
  }
  std::vector<std::string> lines;
  bool open = false;
  bool fail_started = false;
};

Status put(ObjectStore& store, std::string_view key, const std::string& content,
           const WriteOptions& options = {}) {
  MR_ASSIGN(const auto writer, store.create(key, options));
  for (size_t at = 0; at < content.size(); at += 33) {
    MR_TRY(writer->append(std::string_view(content).substr(at, 33)));
  }
  return writer->commit();
}

bool is_call(const Request& request, const std::string& method, const std::string& in_target) {
  return request.method == method && request.target.find(in_target) != std::string::npos;
}

TEST(S3Store, SmallObjectsAreOnePutLargerOnesAnUpload) {
  FakeS3 s3;
  const auto store = s3.store();
  ASSERT_TRUE(put(*store, "small", pattern(100)));
  EXPECT_EQ(s3.calls, 1);
  EXPECT_EQ(s3.objects["small"], pattern(100));
  ASSERT_TRUE(put(*store, "empty", ""));
  EXPECT_EQ(s3.calls, 2);
  Journal journal;
  WriteOptions options;
  options.journal = &journal;
  ASSERT_TRUE(put(*store, "large", pattern(350), options));
  EXPECT_EQ(s3.calls, 2 + 1 + 4 + 1);
  EXPECT_EQ(s3.objects["large"], pattern(350));
  EXPECT_THAT(s3.uploads, IsEmpty());
  EXPECT_THAT(journal.lines, ElementsAre("intent large", "started upload-1", "ended large"));
}

TEST(S3Store, HeadersOfAnObject) {
  FakeS3 s3;
  const auto store = s3.store();
  WriteOptions options;
  options.content_type = "text/csv";
  options.metadata = {{"job", "reviews"}};
  ASSERT_TRUE(put(*store, "small", "x", options));
  ASSERT_TRUE(put(*store, "large", pattern(150), options));
  for (const Request& request : s3.server.requests()) {
    const bool makes_object = request.method == "PUT" ? !is_call(request, "PUT", "partNumber")
                                                      : is_call(request, "POST", "uploads=");
    if (!makes_object) continue;
    EXPECT_EQ(request.header("content-type"), "text/csv") << request.target;
    EXPECT_EQ(request.header("x-amz-meta-job"), "reviews") << request.target;
  }
}

TEST(S3Store, AnUploadIsAbortedWithoutCommit) {
  FakeS3 s3;
  Journal journal;
  WriteOptions options;
  options.journal = &journal;
  {
    const auto writer = s3.store()->create("x", options).value();
    ASSERT_TRUE(writer->append(pattern(450)));
    EXPECT_FALSE(s3.uploads.empty());
  }
  EXPECT_THAT(s3.uploads, IsEmpty());
  EXPECT_THAT(s3.objects, IsEmpty());
  EXPECT_FALSE(journal.open);
}

TEST(S3Store, AnUploadIsAbortedEvenWhenTheJobIsCancelled) {
  FakeS3 s3;
  S3StoreConfig config = s3.config();
  const CancelToken cancel = config.client.cancel;
  const auto store = make_s3_store(std::move(config));
  const auto writer = store->create("x", {}).value();
  ASSERT_TRUE(writer->append(pattern(450)));
  cancel.cancel();
  const Status committed = writer->commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Code::kCancelled);
  EXPECT_THAT(s3.uploads, IsEmpty());
  EXPECT_THAT(s3.objects, IsEmpty());
}

TEST(S3Store, AFailedJournalEndsTheUpload) {
  FakeS3 s3;
  Journal journal;
  journal.fail_started = true;
  WriteOptions options;
  options.journal = &journal;
  const Status status = put(*s3.store(), "x", pattern(350), options);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("disk full"));
  EXPECT_THAT(s3.uploads, IsEmpty());
}

// One call fails, in every way there is: it is made again, and nobody notices.
TEST(S3Store, AnyOneCallMayFail) {
  for (const bool overwrite : {true, false}) {
    for (const size_t size : {size_t{50}, size_t{350}}) {
      for (const Fault fault :
           {Fault::kRefused, Fault::kReset, Fault::kAnswerLost, Fault::kDoneButError}) {
        for (int k = 1; k <= 8; ++k) {
          SCOPED_TRACE(testing::Message() << "size " << size << " fault " << int(fault) << " call "
                                          << k << " overwrite " << overwrite);
          FakeS3 s3;
          s3.fault = [&](int call, const Request&) { return call == k ? fault : Fault::kNone; };
          Journal journal;
          WriteOptions options;
          options.journal = &journal;
          options.overwrite = overwrite;
          const Status status = put(*s3.store(), "x", pattern(size), options);
          ASSERT_TRUE(status) << status.error().message;
          EXPECT_EQ(s3.objects["x"], pattern(size));
          EXPECT_THAT(s3.uploads, IsEmpty());
          EXPECT_FALSE(journal.open);
        }
      }
    }
  }
}

// One kind of call is refused for good: no object, no upload; whatever could not be cleaned up is
// still in the journal.
TEST(S3Store, AnyKindOfCallMayFailForGood) {
  struct Kind {
    const char* method;
    const char* in_target;
  };
  for (const Kind kind :
       {Kind{"POST", "uploads="}, Kind{"PUT", "partNumber=1"}, Kind{"PUT", "partNumber=2"},
        Kind{"PUT", "partNumber=4"}, Kind{"POST", "uploadId="}, Kind{"DELETE", "uploadId="}}) {
    for (const Fault fault : {Fault::kRefused, Fault::kReset, Fault::kDenied}) {
      SCOPED_TRACE(testing::Message() << kind.method << " " << kind.in_target << " " << int(fault));
      FakeS3 s3;
      const bool abort_fails = std::string(kind.method) == "DELETE";
      s3.fault = [&](int, const Request& request) {
        // An abort is asked for by making a part fail.
        if (abort_fails && is_call(request, "PUT", "partNumber=3")) return Fault::kDenied;
        return is_call(request, kind.method, kind.in_target) ? fault : Fault::kNone;
      };
      Journal journal;
      WriteOptions options;
      options.journal = &journal;
      const Status status = put(*s3.store(), "x", pattern(350), options);
      s3.settle();
      ASSERT_FALSE(status);
      EXPECT_THAT(status.error().message, HasSubstr("s3://bucket/x"));
      EXPECT_EQ(status.error().code == Code::kInvalidArgument,
                fault == Fault::kDenied || abort_fails);
      EXPECT_THAT(s3.objects, IsEmpty());
      EXPECT_EQ(s3.uploads.size(), abort_fails ? 1u : 0u);
      EXPECT_EQ(journal.open, abort_fails);
      s3.fault = [](int, const Request&) { return Fault::kNone; };
      EXPECT_TRUE(s3.store()->abort_upload("x", ""));
      s3.settle();
      EXPECT_THAT(s3.uploads, IsEmpty());
    }
  }
}

// Everything fails from the k-th call on, as when the network goes away: what may be left is in the
// journal, and the next run's abort_upload removes it.
TEST(S3Store, TheNetworkMayGoAwayAtAnyCall) {
  for (const Fault fault : {Fault::kReset, Fault::kAnswerLost}) {
    for (int k = 1; k <= 6; ++k) {
      SCOPED_TRACE(testing::Message() << "fault " << int(fault) << " from call " << k);
      FakeS3 s3;
      s3.fault = [&](int call, const Request&) { return call >= k ? fault : Fault::kNone; };
      Journal journal;
      WriteOptions options;
      options.journal = &journal;
      const Status status = put(*s3.store(), "x", pattern(350), options);
      s3.settle();
      ASSERT_FALSE(status);
      EXPECT_TRUE(s3.uploads.empty() || journal.open);
      if (s3.objects.count("x") != 0) {
        EXPECT_EQ(s3.objects["x"], pattern(350));
        EXPECT_THAT(status.error().message, HasSubstr("not known"));
      }
      s3.fault = [](int, const Request&) { return Fault::kNone; };
      EXPECT_TRUE(s3.store()->abort_upload("x", ""));
      s3.settle();
      EXPECT_THAT(s3.uploads, IsEmpty());
    }
  }
}

TEST(S3Store, AnErrorIn200ToCompleteIsAnError) {
  FakeS3 s3;
  int completes = 0;
  s3.fault = [&](int, const Request& request) {
    if (!is_call(request, "POST", "uploadId=")) return Fault::kNone;
    return ++completes < 3 ? Fault::kErrorIn200 : Fault::kNone;
  };
  ASSERT_TRUE(put(*s3.store(), "x", pattern(350)));
  EXPECT_EQ(completes, 3);
  EXPECT_EQ(s3.objects["x"], pattern(350));
  s3.objects.clear();
  s3.fault = [&](int, const Request& request) {
    return is_call(request, "POST", "uploadId=") ? Fault::kErrorIn200 : Fault::kNone;
  };
  const Status status = put(*s3.store(), "x", pattern(350));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message,
              HasSubstr("200 InternalError: about InternalError (request id REQ1)"));
  EXPECT_THAT(status.error().message, HasSubstr("after 5 attempts"));
  EXPECT_THAT(status.error().message, Not(HasSubstr("not known")));
  EXPECT_THAT(s3.objects, IsEmpty());
  EXPECT_THAT(s3.uploads, IsEmpty());
}

TEST(S3Store, ADifferentObjectAtTheKeyIsNotTakenForOurs) {
  FakeS3 s3;
  s3.objects["x"] = std::string(350, 'z');  // same size
  s3.fault = [&](int, const Request& request) {
    return is_call(request, "POST", "uploadId=") ? Fault::kReset : Fault::kNone;
  };
  ASSERT_FALSE(put(*s3.store(), "x", pattern(350)));
  s3.settle();
  EXPECT_EQ(s3.objects["x"], std::string(350, 'z'));
  EXPECT_THAT(s3.uploads, IsEmpty());
}

TEST(S3Store, WithoutOverwriteATakenNameIsAlreadyExists) {
  for (const bool knows : {true, false}) {
    FakeS3 s3;
    s3.knows_if_none_match = knows;
    const auto store = s3.store();
    s3.objects["x"] = "theirs";
    WriteOptions options;
    options.overwrite = false;
    for (const size_t size : {size_t{10}, size_t{350}}) {
      const Status status = put(*store, "x", pattern(size), options);
      ASSERT_FALSE(status);
      EXPECT_EQ(status.error().code, Code::kAlreadyExists);
    }
    EXPECT_EQ(s3.objects["x"], "theirs");
    EXPECT_THAT(s3.uploads, IsEmpty());
  }
}

TEST(S3Store, ANameTakenJustBeforeTheCommitIsNotReplaced) {
  for (const size_t size : {size_t{10}, size_t{350}}) {
    FakeS3 s3;
    s3.fault = [&](int, const Request& request) {
      if (!request.header("if-none-match").empty()) s3.objects["x"] = "theirs";
      return Fault::kNone;
    };
    WriteOptions options;
    options.overwrite = false;
    const Status status = put(*s3.store(), "x", pattern(size), options);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kAlreadyExists) << status.error().message;
    EXPECT_EQ(s3.objects["x"], "theirs");
    EXPECT_THAT(s3.uploads, IsEmpty());
  }
}

TEST(S3Store, KeysThatCannotBeObjects) {
  FakeS3 s3;
  const auto store = s3.store();
  for (const std::string& key :
       {std::string(), std::string(1025, 'k'), std::string("a\xff"), std::string("a\0b", 3)}) {
    const auto writer = store->create(key, {});
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error().code, Code::kBadInput);
  }
  for (const std::string& key : {std::string(1024, 'k'), std::string("a//b"),
                                 std::string("../../x"), std::string("/a/./b ")}) {
    EXPECT_TRUE(put(*store, key, "x")) << key;
    EXPECT_EQ(s3.objects.count(key), 1u) << key;
  }
}

TEST(S3List, AllPagesInOrderByRawPrefix) {
  FakeS3 s3;
  const auto store = s3.store();
  for (const char* key : {"a", "in/1", "in/2", "in/a b+c%", "in/z", "in2", "x"}) {
    s3.objects[key] = key;
  }
  std::vector<std::string> keys;
  ASSERT_TRUE(store->list("in", [&](const ObjectInfo& object) -> Status {
    keys.push_back(object.key);
    EXPECT_EQ(object.size, object.key.size());
    return {};
  }));
  EXPECT_THAT(keys, ElementsAre("in/1", "in/2", "in/a b+c%", "in/z", "in2"));
  EXPECT_EQ(s3.calls, 2);
  const Status stopped =
      store->list("in", [&](const ObjectInfo&) -> Status { return fail(cancelled("enough")); });
  EXPECT_EQ(stopped.error().message, "enough");
}

TEST(S3List, AServerThatRepeatsItselfEndsTheListing) {
  HttpImposter server([&](const Request&) {
    FakeS3::Reply reply;
    reply.body =
        "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
        "</NextContinuationToken><Contents><Key>a</Key><Size>1</Size></Contents>"
        "</ListBucketResult>";
    return reply;
  });
  FakeS3 s3;
  S3StoreConfig config = s3.config();
  config.client.address.endpoint = parse_endpoint_url(server.url()).value();
  const Status status =
      make_s3_store(std::move(config))->list("", [](const ObjectInfo&) -> Status { return {}; });
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("out of order"));
  EXPECT_EQ(server.count(), 2u);
}

TEST(S3Client, RetriesAreCountedAndTold) {
  FakeS3 s3;
  const auto store = s3.store();
  s3.fault = [](int, const Request&) { return Fault::kRefused; };
  const auto info = store->stat("x");
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, Code::kUnavailable);
  EXPECT_EQ(s3.calls, limits::kNetworkAttempts);
  EXPECT_THAT(info.error().message, HasSubstr("look at s3://bucket/x: 503"));
  EXPECT_THAT(info.error().message, HasSubstr("(after 5 attempts)"));
}

TEST(S3Client, WhyAHeadWasRefusedIsAskedByAGet) {
  HttpImposter server([&](const Request& request) {
    FakeS3::Reply reply;
    reply.status = 400;
    if (request.method == "HEAD") {
      reply.headers = {{"Content-Length", "0"}};
    } else {
      EXPECT_EQ(request.header("range"), "bytes=0-0");
      reply.body = "<Error><Code>ExpiredToken</Code><Message>too old</Message></Error>";
    }
    return reply;
  });
  FakeS3 s3;
  S3StoreConfig config = s3.config();
  config.client.address.endpoint = parse_endpoint_url(server.url()).value();
  const auto info = make_s3_store(std::move(config))->stat("x");
  ASSERT_FALSE(info);
  EXPECT_THAT(info.error().message, HasSubstr("400 ExpiredToken: too old"));
  // Once with the credentials at hand, once with renewed ones.
  EXPECT_EQ(server.count(), 4u);
}

TEST(S3Client, FollowsTheBucketToItsRegion) {
  for (const int status : {301, 400}) {
    std::vector<std::string> authorizations;
    HttpImposter server([&](const Request& request) {
      authorizations.push_back(request.header("authorization"));
      FakeS3::Reply reply;
      if (request.header("authorization").find("/eu-west-3/") == std::string::npos) {
        reply.status = status;
        if (status == 301) reply.headers = {{"x-amz-bucket-region", "eu-west-3"}};
        if (status == 400) {
          reply.body =
              "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region>"
              "</Error>";
        }
        return reply;
      }
      reply.body = "<ListBucketResult></ListBucketResult>";
      return reply;
    });
    FakeS3 s3;
    S3StoreConfig config = s3.config();
    config.client.address.endpoint = parse_endpoint_url(server.url()).value();
    const auto store = make_s3_store(std::move(config));
    const auto nothing = [](const ObjectInfo&) -> Status { return {}; };
    EXPECT_TRUE(store->list("", nothing));
    EXPECT_TRUE(store->list("", nothing));
    EXPECT_EQ(authorizations.size(), 3u);  // the second listing knows
  }
}

TEST(S3Client, ExpiredCredentialsAreFetchedAnewOnce) {
  int fetched = 0;
  HttpImposter server([&](const Request& request) {
    FakeS3::Reply reply;
    if (request.header("x-amz-security-token") != "token-2") {
      reply.status = 400;
      reply.body = "<Error><Code>ExpiredToken</Code></Error>";
    } else {
      reply.body = "<ListBucketResult></ListBucketResult>";
    }
    return reply;
  });
  FakeS3 s3;
  S3StoreConfig config = s3.config();
  config.client.address.endpoint = parse_endpoint_url(server.url()).value();
  config.client.credentials = std::make_shared<CredentialsCache>(
      [&](const CancelToken&) -> Result<Credentials> {
        return Credentials{"a", "s", "token-" + std::to_string(++fetched), std::nullopt};
      },
      s3.clock);
  const auto store = make_s3_store(std::move(config));
  EXPECT_TRUE(store->list("", [](const ObjectInfo&) -> Status { return {}; }));
  EXPECT_EQ(fetched, 2);
}

TEST(S3Client, WhatRepliesMean) {
  const auto meaning = [](int status, const std::string& body, const std::string& date = "") {
    HttpReply reply;
    reply.status = status;
    reply.body = body;
    if (!date.empty()) reply.headers.emplace_back("date", date);
    return s3_failure("get s3://b/k", reply, *parse_iso8601("2026-11-22T12:00:00Z"));
  };
  EXPECT_EQ(meaning(404, "").code, Code::kNotFound);
  EXPECT_EQ(meaning(403, "").code, Code::kInvalidArgument);
  EXPECT_EQ(meaning(403, "").message, "get s3://b/k: 403 access denied");
  EXPECT_EQ(meaning(412, "").code, Code::kAlreadyExists);
  EXPECT_EQ(meaning(400, "<Error><Code>RequestTimeout</Code></Error>").code, Code::kUnavailable);
  EXPECT_EQ(meaning(409, "<Error><Code>ConditionalRequestConflict</Code></Error>").code,
            Code::kUnavailable);
  EXPECT_EQ(meaning(501, "<Error><Code>NotImplemented</Code></Error>").code, Code::kInternal);
  for (const int status : {429, 500, 502, 503, 504}) {
    EXPECT_EQ(meaning(status, "<html>").code, Code::kUnavailable);
  }
  EXPECT_THAT(meaning(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>",
                      "Sun, 22 Nov 2026 12:20:00 GMT")
                  .message,
              HasSubstr("clock is wrong, 1200 s behind the server's"));
}

}  // namespace
}  // namespace millrace::store
