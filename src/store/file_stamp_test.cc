// Stamps beside files: they tell what a file was made of, or nothing.
#include "store/file_stamp.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "store/test_folder.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;

class FileStamp : public ::testing::Test {
 protected:
  FileStamp() { write("k", "content"); }
  void write(const std::string& key, const std::string& bytes) {
    WriteOptions options;
    options.metadata = metadata_;
    auto writer = store_->create(key, options);
    ASSERT_TRUE(writer);
    ASSERT_TRUE((*writer)->append(bytes));
    ASSERT_TRUE((*writer)->commit());
  }
  Metadata stamp_of(const std::string& key) {
    const auto object = store_->stat(key);
    return object ? object->metadata : Metadata{{"no", "object"}};
  }

  const Metadata metadata_ = {{"etag", "\"1-2\""}, {"line\nend", "=%\n"}};
  TestFolder folder_;
  const std::unique_ptr<ObjectStore> store_ = make_file_store(folder_.path());
};

TEST_F(FileStamp, SaysWhatTheWriterWasGiven) {
  EXPECT_EQ(stamp_of("k"), metadata_);
  write("a/b/k", "x");
  EXPECT_EQ(stamp_of("a/b/k"), metadata_);
  const std::string longest(255, 'n');
  write(longest, "x");
  EXPECT_EQ(stamp_of(longest), metadata_);
}

TEST_F(FileStamp, SaysNothingOfAFileThatWasWrittenSince) {
  std::ofstream(folder_ / "k", std::ios::app) << "more";
  EXPECT_TRUE(stamp_of("k").empty());
  write("k", "content");
  EXPECT_EQ(stamp_of("k"), metadata_);
  // The same length, by somebody else.
  fs::remove(folder_ / "k");
  std::ofstream(folder_ / "k") << "CONTENT";
  EXPECT_TRUE(stamp_of("k").empty());
}

TEST_F(FileStamp, ThatIsTornOrGoneSaysNothing) {
  const fs::path stamp = stamp_path(folder_ / "k");
  for (auto size = fs::file_size(stamp) - 1; size > 0; --size) {
    fs::resize_file(stamp, size - 1);
    EXPECT_TRUE(stamp_of("k").empty());
  }
  fs::remove(stamp);
  EXPECT_TRUE(stamp_of("k").empty());
}

TEST_F(FileStamp, IsInNoListingAndGoesWithItsFile) {
  size_t listed = 0;
  ASSERT_TRUE(store_->list("", [&](const ObjectInfo& object) -> Status {
    EXPECT_EQ(object.key, "k");
    ++listed;
    return {};
  }));
  EXPECT_EQ(listed, 1U);
  ASSERT_TRUE(store_->remove("k"));
  EXPECT_TRUE(fs::is_empty(folder_.path()));
}

TEST_F(FileStamp, AFileWithoutMetadataHasNone) {
  auto writer = store_->create("plain", {});
  ASSERT_TRUE((*writer)->commit());
  EXPECT_TRUE(stamp_of("plain").empty());
  EXPECT_FALSE(fs::exists(stamp_path(folder_ / "plain")));
}

}  // namespace
}  // namespace millrace::store
