// The file store's reading side: listing order, what is no file, what changes under the reader.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/unique_fd.h"
#include "store/file_path.h"
#include "store/object_store.h"
#include "store/test_folder.h"

namespace millrace::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<ObjectInfo> entries_of(ObjectStore& store, std::string_view prefix) {
  std::vector<ObjectInfo> found;
  const Status status = store.list(prefix, [&](const ObjectInfo& object) -> Status {
    found.push_back(object);
    return {};
  });
  EXPECT_TRUE(status) << status.error().message;
  return found;
}

std::vector<std::string> keys_of(ObjectStore& store, std::string_view prefix) {
  std::vector<std::string> keys;
  for (const ObjectInfo& object : entries_of(store, prefix)) keys.push_back(object.key);
  return keys;
}

Result<std::string> content_of(ObjectStore& store, const ObjectInfo& object, uint64_t offset,
                               uint64_t length) {
  MR_ASSIGN(const auto reader, store.open(object, offset, length));
  std::string content;
  char block[7];
  while (true) {
    MR_ASSIGN(const size_t got, reader->read(block));
    if (got == 0) return content;
    content.append(block, got);
  }
}

TEST(FileStoreList, BytewiseOrderOfWholeKeys) {
  const TestFolder folder;
  const std::vector<std::string> names = {"b",     "a.txt", "a/z",      "a-b/c", "a0",
                                          "a/b/c", "A",     "\xc3\xa9", "a/b.c", "\xff"};
  for (const std::string& name : names) folder.write(name, "x");
  std::vector<std::string> sorted = names;
  std::sort(sorted.begin(), sorted.end());
  const auto store = make_file_store(folder.path() + "/");
  EXPECT_EQ(keys_of(*store, ""), sorted);
}

TEST(FileStoreList, PrefixIsRaw) {
  const TestFolder folder;
  for (const char* name : {"in/a", "in/b/c", "in2/d", "int", "x"}) folder.write(name, "x");
  const auto store = make_file_store(folder.path());
  EXPECT_THAT(keys_of(*store, "in"), ElementsAre("in/a", "in/b/c", "in2/d", "int"));
  EXPECT_THAT(keys_of(*store, "in/"), ElementsAre("in/a", "in/b/c"));
  EXPECT_THAT(keys_of(*store, "in/b/"), ElementsAre("in/b/c"));
  EXPECT_THAT(keys_of(*store, "in/b/c"), ElementsAre("in/b/c"));
  EXPECT_THAT(keys_of(*store, "in/b/c/"), IsEmpty());
  EXPECT_THAT(keys_of(*store, "nothing/at/all"), IsEmpty());
  EXPECT_THAT(keys_of(*store, "../"), IsEmpty());
  EXPECT_THAT(keys_of(*store, "in//"), IsEmpty());
}

TEST(FileStoreList, MissingRootIsNotFound) {
  const TestFolder folder;
  const auto store = make_file_store(folder / "nothing");
  const Status status = store->list("", [](const ObjectInfo&) -> Status { return {}; });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kNotFound);
  EXPECT_THAT(status.error().message, HasSubstr(folder / "nothing"));
}

TEST(FileStoreList, StopsWithTheVisitorsError) {
  const TestFolder folder;
  for (const char* name : {"a", "b/c", "d"}) folder.write(name, "x");
  const auto store = make_file_store(folder.path());
  int visits = 0;
  const Status status = store->list("", [&](const ObjectInfo&) -> Status {
    ++visits;
    return visits == 2 ? fail(cancelled("enough")) : Status{};
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "enough");
  EXPECT_EQ(visits, 2);
}

TEST(FileStoreList, FollowsLinksAndReportsLoops) {
  const TestFolder folder;
  folder.write("data/x", "x");
  ASSERT_EQ(::symlink("data", (folder / "link").c_str()), 0);
  ASSERT_EQ(::symlink("..", (folder / "data/up").c_str()), 0);
  ASSERT_EQ(::symlink("self", (folder / "self").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", (folder / "dangling").c_str()), 0);
  const auto store = make_file_store(folder.path());
  std::vector<std::string> readable, problems;
  for (const ObjectInfo& object : entries_of(*store, "")) {
    (object.problem.empty() ? readable : problems).push_back(object.key);
  }
  EXPECT_THAT(readable, ElementsAre("data/x", "link/x"));
  EXPECT_THAT(problems, ElementsAre("dangling", "data/up/", "link/up/", "self"));
}

TEST(FileStoreList, PipesAndSocketsAreProblemsAndNeverOpened) {
  const TestFolder folder;
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (folder / "socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const auto store = make_file_store(folder.path());
  const auto found = entries_of(*store, "");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_THAT(found[0].problem, HasSubstr("FIFO"));
  EXPECT_THAT(found[1].problem, HasSubstr("socket"));
  // Listed as a file, a FIFO when opened: refused without waiting for a writer.
  ObjectInfo object = found[0];
  object.problem.clear();
  const auto reader = store->open(object, 0, 1);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Code::kBadInput);
  EXPECT_THAT(reader.error().message, HasSubstr("fifo"));
}

TEST(FileStoreList, OneFileIsAStoreOfOneObject) {
  const TestFolder folder;
  folder.write("reviews.csv", "abc");
  folder.write("reviews.csv.old", "x");
  const auto store = make_file_store(folder / "reviews.csv");
  const auto found = entries_of(*store, "");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].key, "reviews.csv");
  EXPECT_EQ(store->describe("reviews.csv"), folder / "reviews.csv");
  EXPECT_EQ(content_of(*store, found[0], 0, 3).value(), "abc");
  EXPECT_THAT(keys_of(*store, "reviews.csv.old"), IsEmpty());
}

TEST(FileStoreRead, RangesAndTheirEnds) {
  const TestFolder folder;
  folder.write("x", "0123456789abcdef");
  const auto store = make_file_store(folder.path());
  const ObjectInfo object = store->stat("x").value();
  EXPECT_EQ(object.size, 16u);
  EXPECT_EQ(content_of(*store, object, 0, 16).value(), "0123456789abcdef");
  EXPECT_EQ(content_of(*store, object, 3, 9).value(), "3456789ab");
  EXPECT_EQ(content_of(*store, object, 16, 0).value(), "");
  EXPECT_EQ(content_of(*store, object, 8, 9).error().code, Code::kBadInput);
}

TEST(FileStoreRead, NoticesThatTheFileChangedSinceItWasListed) {
  const TestFolder folder;
  folder.write("x", "abc");
  const auto store = make_file_store(folder.path());
  const ObjectInfo object = store->stat("x").value();
  folder.write("x", "abcd");
  const auto reader = store->open(object, 0, 3);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().code, Code::kBadInput);
  EXPECT_THAT(reader.error().message, HasSubstr("changed"));
}

TEST(FileStoreRead, NoticesTruncationWhileItReads) {
  const TestFolder folder;
  folder.write("x", std::string(1000, 'a'));
  const auto store = make_file_store(folder.path());
  const auto reader = store->open(store->stat("x").value(), 0, 1000).value();
  char block[100];
  ASSERT_EQ(reader->read(block).value(), 100u);
  ASSERT_EQ(::truncate((folder / "x").c_str(), 100), 0);
  const auto got = reader->read(block);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, HasSubstr("ends at byte 100"));
}

TEST(FileStoreRead, NoticesARewriteInPlaceAtTheEndOfTheRange) {
  const TestFolder folder;
  folder.write("x", std::string(200, 'a'));
  const auto store = make_file_store(folder.path());
  const auto reader = store->open(store->stat("x").value(), 0, 200).value();
  char block[100];
  ASSERT_EQ(reader->read(block).value(), 100u);
  const timespec times[2] = {{1, 0}, {1, 0}};
  folder.write("x", std::string(200, 'b'));
  ASSERT_EQ(::utimensat(AT_FDCWD, (folder / "x").c_str(), times, 0), 0);
  const auto got = reader->read(block);
  ASSERT_FALSE(got);
  EXPECT_THAT(got.error().message, HasSubstr("changed"));
}

TEST(FileStoreRead, UnreadableFileIsNamed) {
  const TestFolder folder;
  folder.write("secret", "x");
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod((folder / "secret").c_str(), 0), 0);
  const bool root = ::geteuid() == 0;  // who reads everything: not here
  if (root) {
    ASSERT_EQ(::seteuid(65534), 0);
  }
  const auto store = make_file_store(folder.path());
  const auto reader = store->open(store->stat("secret").value(), 0, 1);
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  ASSERT_FALSE(reader);
  EXPECT_THAT(reader.error().message, HasSubstr("secret: Permission denied"));
}

TEST(FileStoreStat, MissingAndFoldersAreNotFound) {
  const TestFolder folder;
  folder.write("d/x", "x");
  const auto store = make_file_store(folder.path());
  EXPECT_EQ(store->stat("nothing").error().code, Code::kNotFound);
  EXPECT_EQ(store->stat("d").error().code, Code::kNotFound);
  EXPECT_EQ(store->stat("d/x/y").error().code, Code::kNotFound);
  EXPECT_EQ(store->stat("../x").error().code, Code::kBadInput);
}

TEST(FileStoreRemove, RemovesAndDoesNotMindWhatIsMissing) {
  const TestFolder folder;
  folder.write("d/x", "x");
  const auto store = make_file_store(folder.path());
  EXPECT_TRUE(store->remove("d/x"));
  EXPECT_TRUE(store->remove("d/x"));
  EXPECT_TRUE(store->remove("no/such"));
  EXPECT_FALSE(store->remove("../x"));
  EXPECT_FALSE(std::filesystem::exists(folder / "d/x"));
}

TEST(ParseKey, RefusesWhatIsNoPathBelowTheRoot) {
  for (const std::string& key :
       {std::string(""), std::string("/x"), std::string("x/"), std::string("a//b"),
        std::string("a/./b"), std::string("../../x"), std::string("a/.."), std::string("."),
        std::string("a\0b", 3), std::string("a/") + std::string(256, 'x')}) {
    const auto path = parse_key(key);
    ASSERT_FALSE(path) << key;
    EXPECT_EQ(path.error().code, Code::kBadInput);
    EXPECT_THAT(path.error().message, HasSubstr("key '"));
  }
  EXPECT_TRUE(parse_key("a b/..c/d..e/" + std::string(255, 'x')));
}

TEST(OpenFolder, BothWaysRefuseTheSamePaths) {
  const TestFolder folder;
  folder.write("a/b/x", "x");
  ASSERT_EQ(::symlink("a", (folder / "link").c_str()), 0);
  ASSERT_EQ(::symlink("/", (folder / "a/root").c_str()), 0);
  const UniqueFd root(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY));
  for (const char* path :
       {"", "a", "a/b", "a/c", "a/b/x", "link", "link/b", "a/root", "a/root/tmp"}) {
    const int fast = open_folder_beneath(root.get(), path);
    const int slow = open_folder_stepwise(root.get(), path);
    EXPECT_EQ(fast >= 0, slow >= 0) << path;
    const UniqueFd close_fast(fast), close_slow(slow);
  }
}

TEST(ParseLocation, TakesUrisAndPathsApart) {
  const auto s3 = parse_location("s3://bucket-1/some/prefix with space+%41").value();
  EXPECT_EQ(s3.kind, Location::Kind::kS3);
  EXPECT_EQ(s3.bucket, "bucket-1");
  EXPECT_EQ(s3.path, "some/prefix with space+%41");
  EXPECT_EQ(parse_location("s3://bucket").value().path, "");
  EXPECT_EQ(parse_location("s3://bucket//x").value().path, "/x");
  EXPECT_EQ(parse_location("file:///a%20b").value().path, "/a b");
  EXPECT_EQ(parse_location("file://localhost/a").value().path, "/a");
  EXPECT_EQ(parse_location("./s3/x").value().path, "./s3/x");
}

TEST(ParseLocation, SaysWhatIsWrongWithAUri) {
  for (const char* text : {"", "s3://", "s3:///key", "S3://bucket/x", "s3://b/x", "s3://buc ket/x",
                           "s3://arn:aws:s3:eu-west-1:1:accesspoint/x", "file://host/x", "file://",
                           "file:///%zz", "file:///%00", "http://x/y", "s3:/bucket/x", "file:/x"}) {
    const auto location = parse_location(text);
    ASSERT_FALSE(location) << text;
    EXPECT_EQ(location.error().code, Code::kInvalidArgument);
    EXPECT_FALSE(location.error().message.empty());
  }
}

}  // namespace
}  // namespace millrace::store
