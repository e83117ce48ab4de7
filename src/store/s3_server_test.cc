// The S3 store against a real server: versitygw, found by MILLRACE_VERSITYGW or in the cache folder
// where the test set-up puts it. It checks signatures, conditions and uploads as we do not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/http_client.h"
#include "store/s3_store.h"
#include "store/s3_upload.h"
#include "store/test_folder.h"

extern char** environ;

namespace millrace::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string versitygw_path() {
  if (const char* const set = std::getenv("MILLRACE_VERSITYGW")) return set;
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  const char* const home = std::getenv("HOME");
  const std::string base = cache != nullptr && *cache != '\0'
                               ? std::string(cache)
                               : std::string(home == nullptr ? "" : home) + "/.cache";
  return base + "/millrace-dev/bin/versitygw";
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

// One server for all tests of this file.
class S3Server : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (::access(versitygw_path().c_str(), X_OK) != 0) return;
    folder_ = new TestFolder;
    for (const char* name : {"iam", "meta", "data", "data/bucket", "data/other"}) {
      std::filesystem::create_directories(*folder_ / name);
    }
    const std::string address = "127.0.0.1:" + std::to_string(free_port());
    url_ = "http://" + address;
    const std::string log = *folder_ / "log";
    const std::string command = "ROOT_ACCESS_KEY=testkey ROOT_SECRET_KEY=testsecret exec '" +
                                versitygw_path() + "' --port " + address + " --quiet --iam-dir '" +
                                *folder_ / "iam" + "' posix --sidecar '" + *folder_ / "meta" +
                                "' '" + *folder_ / "data" + "' >'" + log + "' 2>&1";
    std::string shell = "/bin/sh", flag = "-c", script = command;
    char* const arguments[] = {shell.data(), flag.data(), script.data(), nullptr};
    ASSERT_EQ(::posix_spawn(&server_, "/bin/sh", nullptr, nullptr, arguments, environ), 0);
    HttpClient client;
    for (int i = 0; i < 200; ++i) {
      HttpRequest request;
      request.url = url_;
      if (client.send(request, CancelToken())) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    FAIL() << "versitygw does not answer: " << folder_->read("log");
  }
  static void TearDownTestSuite() {
    if (server_ > 0) {
      ::kill(server_, SIGTERM);
      ::waitpid(server_, nullptr, 0);
    }
    delete folder_;
    folder_ = nullptr;
  }

  void SetUp() override {
    if (server_ <= 0) GTEST_SKIP() << "no versitygw at " << versitygw_path();
    store = make("bucket", {}).value();
  }

  static S3StoreConfig config(const std::string& bucket,
                              std::map<std::string, std::string> variables) {
    variables.insert({{"AWS_ACCESS_KEY_ID", "testkey"},
                      {"AWS_SECRET_ACCESS_KEY", "testsecret"},
                      {"AWS_ENDPOINT_URL_S3", url_},
                      {"AWS_CONFIG_FILE", "/nonexistent"},
                      {"AWS_SHARED_CREDENTIALS_FILE", "/nonexistent"}});
    S3StoreConfig config = find_s3_config(bucket, {}, map_env(variables)).value();
    config.client.retrying.policy.first_delay = std::chrono::milliseconds(1);
    config.part_bytes = limits::kUploadPartBytesMin;
    config.read_block_bytes = 1 * limits::kMiB;
    return config;
  }
  static Result<std::unique_ptr<ObjectStore>> make(
      const std::string& bucket, const std::map<std::string, std::string>& variables) {
    return make_s3_store(config(bucket, variables));
  }

  Status put(std::string_view key, std::string_view content, bool overwrite = true) {
    WriteOptions options;
    options.overwrite = overwrite;
    options.content_type = "text/csv";
    options.metadata = {{"note", "a  b"}};
    MR_ASSIGN(const auto writer, store->create(key, options));
    MR_TRY(writer->append(content));
    return writer->commit();
  }
  Result<std::string> get(std::string_view key) {
    MR_ASSIGN(const ObjectInfo object, store->stat(key));
    MR_ASSIGN(const auto reader, store->open(object, 0, object.size));
    std::string content;
    std::vector<char> block(100000);
    while (true) {
      MR_ASSIGN(const size_t got, reader->read(block));
      if (got == 0) return content;
      content.append(block.data(), got);
    }
  }
  std::vector<std::string> keys(std::string_view prefix) {
    std::vector<std::string> found;
    const Status status = store->list(prefix, [&](const ObjectInfo& object) -> Status {
      found.push_back(object.key);
      return {};
    });
    EXPECT_TRUE(status) << status.error().message;
    return found;
  }

  static inline TestFolder* folder_ = nullptr;
  static inline pid_t server_ = 0;
  static inline std::string url_;
  std::unique_ptr<ObjectStore> store;
};

std::string pattern(size_t size) {
  std::string text(size, '\0');
  uint32_t state = 12345;
  for (char& c : text) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

TEST_F(S3Server, WritesAndReadsSmallAndLargeObjects) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, size_t{5 << 20},
                            (size_t{5} << 20) + 1, size_t{17} << 20}) {
    const std::string content = pattern(size);
    const Status written = put("sizes/x", content);
    ASSERT_TRUE(written) << written.error().message;
    const auto read = get("sizes/x");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(*read == content) << size;
  }
}

TEST_F(S3Server, KeysOfEveryKind) {
  const std::vector<std::string> names = {
      "k/a b",  "k/a+b",   "k/a%20b",     "k/~t'()*!", "k/ \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
      "k/=&?#", "k/<&>\"", "k/a:b,c;d@e$"};
  for (const std::string& name : names) {
    const Status written = put(name, name);
    ASSERT_TRUE(written) << name << ": " << written.error().message;
    EXPECT_EQ(get(name).value_or("?"), name);
  }
  std::vector<std::string> sorted = names;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(keys("k/"), sorted);
}

TEST_F(S3Server, ListsMoreThanAPageInOrderByRawPrefix) {
  // Files behind the server's back: quicker than 1,100 requests.
  for (int i = 0; i < 1100; ++i) folder_->write("data/bucket/many/" + std::to_string(i), "x");
  folder_->write("data/bucket/many.txt", "x");
  folder_->write("data/bucket/many-more/x", "x");
  const auto all = keys("many");
  EXPECT_EQ(all.size(), 1102u);
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_THAT(keys("many/109"), ElementsAre("many/109", "many/1090", "many/1091", "many/1092",
                                            "many/1093", "many/1094", "many/1095", "many/1096",
                                            "many/1097", "many/1098", "many/1099"));
  EXPECT_THAT(keys("nothing"), IsEmpty());
}

TEST_F(S3Server, WithoutOverwriteATakenNameIsAlreadyExists) {
  ASSERT_TRUE(put("taken", "theirs", false));
  for (const size_t size : {size_t{10}, size_t{6} << 20}) {
    const Status again = put("taken", pattern(size), false);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  }
  EXPECT_EQ(get("taken").value(), "theirs");
}

TEST_F(S3Server, WithoutCommitNothingIsVisibleAndNoUploadIsLeft) {
  {
    const auto writer = store->create("dropped", {}).value();
    ASSERT_TRUE(writer->append(pattern(size_t{11} << 20)));
    EXPECT_EQ(store->stat("dropped").error().code, Code::kNotFound);
  }
  EXPECT_EQ(store->stat("dropped").error().code, Code::kNotFound);
  auto client = std::make_shared<S3Client>(config("bucket", {}).client);
  const S3Result uploads = client->send(list_uploads_request("", "", ""), CancelToken());
  ASSERT_TRUE(uploads) << uploads.error().message;
  EXPECT_THAT(uploads->http.body, ::testing::Not(HasSubstr("<Upload>")));
}

TEST_F(S3Server, AbortUploadFindsTheUploadsOfExactlyOneKey) {
  auto client = std::make_shared<S3Client>(config("bucket", {}).client);
  for (const char* key : {"left/x", "left/x", "left/xy"}) {
    ASSERT_TRUE(client->send(create_upload_request(key, {}), CancelToken()));
  }
  EXPECT_TRUE(store->abort_upload("left/x", ""));
  EXPECT_TRUE(store->abort_upload("left/x", "no-such-upload"));
  const S3Result uploads = client->send(list_uploads_request("left/", "", ""), CancelToken());
  ASSERT_TRUE(uploads) << uploads.error().message;
  EXPECT_THAT(uploads->http.body, HasSubstr("left/xy"));
  EXPECT_THAT(uploads->http.body, ::testing::Not(HasSubstr("<Key>left/x</Key>")));
  EXPECT_TRUE(store->abort_upload("left/xy", ""));
}

TEST_F(S3Server, AnObjectThatChangedSinceItWasListedIsNoticed) {
  ASSERT_TRUE(put("moving", "first"));
  const ObjectInfo listed = store->stat("moving").value();
  ASSERT_TRUE(put("moving", "other"));
  const auto reader = store->open(listed, 0, listed.size).value();
  char block[10];
  const auto got = reader->read(block);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kBadInput);
  EXPECT_THAT(got.error().message, HasSubstr("changed"));
  EXPECT_TRUE(store->remove("moving"));
  EXPECT_TRUE(store->remove("moving"));
  const auto gone = store->open(listed, 0, listed.size).value()->read(block);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, Code::kNotFound);
}

TEST_F(S3Server, WrongKeysAndMissingBucketsAreToldApart) {
  const auto nothing = [](const ObjectInfo&) -> Status { return {}; };
  const Status secret =
      make("bucket", {{"AWS_SECRET_ACCESS_KEY", "wrong"}}).value()->list("", nothing);
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().code, Code::kInvalidArgument);
  EXPECT_THAT(secret.error().message, HasSubstr("SignatureDoesNotMatch"));
  const Status user = make("bucket", {{"AWS_ACCESS_KEY_ID", "nobody"}}).value()->list("", nothing);
  ASSERT_FALSE(user);
  EXPECT_EQ(user.error().code, Code::kInvalidArgument) << user.error().message;
  const Status bucket = make("nosuchbucket", {}).value()->list("", nothing);
  ASSERT_FALSE(bucket);
  EXPECT_EQ(bucket.error().code, Code::kNotFound);
  EXPECT_THAT(bucket.error().message, HasSubstr("NoSuchBucket"));
}

TEST_F(S3Server, SeveralThreadsShareAStore) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 5; ++i) {
        const std::string key = "threads/" + std::to_string(t) + "-" + std::to_string(i);
        const std::string content = pattern(static_cast<size_t>(t * 2000000 + i));
        const Status written = put(key, content);
        ASSERT_TRUE(written) << written.error().message;
        EXPECT_TRUE(get(key).value() == content);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(keys("threads/").size(), 20u);
}

}  // namespace
}  // namespace millrace::store
