// Model artefacts: found by folder, archive or shipped name; archives that try to leave their
// folder are refused and leave nothing.
#include "jobs/model_artifact.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <locale.h>
#include <stdlib.h>

#include <fstream>
#include <future>

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

struct Entry {
  std::string name;
  std::string content;
  std::string link;      // symbolic link to, if not empty
  std::string hardlink;  // hard link to, if not empty
  decltype(AE_IFREG) type = AE_IFREG;
};

void write_archive(const fs::path& path, const std::vector<Entry>& entries) {
  archive* a = archive_write_new();
  archive_write_add_filter_gzip(a);
  archive_write_set_format_pax_restricted(a);
  ASSERT_EQ(archive_write_open_filename(a, path.c_str()), ARCHIVE_OK);
  for (const Entry& e : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, e.name.c_str());
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_uname(entry, "J\xC3\xBCrgen");
    archive_entry_set_filetype(entry, e.link.empty() ? e.type : AE_IFLNK);
    if (!e.link.empty()) archive_entry_set_symlink(entry, e.link.c_str());
    if (!e.hardlink.empty()) archive_entry_set_hardlink(entry, e.hardlink.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(e.content.size()));
    archive_write_header(a, entry);
    archive_write_data(a, e.content.data(), e.content.size());
    archive_entry_free(entry);
  }
  archive_write_free(a);
}

class ModelArtifactTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/millrace-artifact-XXXXXX";
    root_ = ::mkdtemp(pattern);
    options_.cache_folder = root_ / "cache";
    options_.shipped_model_folders = {root_ / "none", root_ / "models"};
    options_.make_store = [](const store::Location& location) {
      return Result<std::unique_ptr<store::ObjectStore>>(store::make_file_store(location.path));
    };
  }
  void TearDown() override { fs::remove_all(root_); }

  Result<ModelArtifact> unpacked(const std::vector<Entry>& entries) {
    const fs::path path = root_ / "model.tar.gz";
    write_archive(path, entries);
    return find_model(path.string(), options_);
  }
  size_t cached() const {
    size_t count = 0;
    if (!fs::exists(options_.cache_folder)) return count;
    for (const auto& entry : fs::directory_iterator(options_.cache_folder)) {
      if (entry.path().filename() != ".locks") ++count;
    }
    return count;
  }

  fs::path root_;
  ArtifactOptions options_;
};

TEST_F(ModelArtifactTest, FindsFoldersAndShippedNames) {
  fs::create_directories(root_ / "models" / "sst2-small");
  EXPECT_EQ(find_model("", options_)->name, "sst2-small");
  EXPECT_EQ(find_model("", options_)->folder, root_ / "models" / "sst2-small");
  EXPECT_EQ(find_model(root_.string(), options_)->folder, root_);
  const auto none = find_model("sst3", options_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kInvalidArgument);
  EXPECT_NE(none.error().message.find("model sst3: no such folder"), std::string::npos);
}

TEST_F(ModelArtifactTest, UnpacksOnceForEachContent) {
  const auto first = unpacked({{"config.json", "{}", "", ""}, {"code/a.txt", "x", "", ""}});
  ASSERT_TRUE(first) << first.error().message;
  std::string content;
  std::ifstream(first->folder / "config.json") >> content;
  EXPECT_EQ(content, "{}");
  EXPECT_TRUE(fs::exists(first->folder / "code" / "a.txt"));
  const auto again = find_model((root_ / "model.tar.gz").string(), options_);
  EXPECT_EQ(again->folder, first->folder);
  EXPECT_EQ(cached(), 1U);
  const auto changed = unpacked({{"config.json", "{\"a\":1}", "", ""}});
  EXPECT_NE(changed->folder, first->folder);
}

TEST_F(ModelArtifactTest, RefusesWhatLeavesItsFolder) {
  const std::vector<std::vector<Entry>> evil = {
      {{"../escaped", "x", "", ""}},
      {{"a/../../escaped", "x", "", ""}},
      {{"/tmp/escaped-absolute", "x", "", ""}},
      {{"link", "", "/etc", ""}},
      {{"a", "x", "", ""}, {"b", "", "", "a"}},
  };
  for (const auto& entries : evil) {
    const auto refused = unpacked(entries);
    ASSERT_FALSE(refused) << entries[0].name;
    EXPECT_NE(refused.error().message.find("entry '"), std::string::npos);
    EXPECT_EQ(cached(), 0U) << entries[0].name;
  }
  EXPECT_FALSE(fs::exists(root_ / "escaped"));
  EXPECT_FALSE(fs::exists("/tmp/escaped-absolute"));
}

TEST_F(ModelArtifactTest, RefusesDevicesAndPipesByName) {
  for (const auto type : {AE_IFCHR, AE_IFBLK, AE_IFIFO}) {
    const auto refused = unpacked({{"config.json", "{}", "", ""}, {"odd", "", "", "", type}});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("entry 'odd' is a link or device"), std::string::npos);
    EXPECT_EQ(cached(), 0U);
  }
}

TEST_F(ModelArtifactTest, BombsAreRefusedBeforeTheyAreWritten) {
  options_.bytes_max = 1000;
  options_.entries_max = 3;
  EXPECT_TRUE(
      unpacked({{"a", std::string(600, 'x'), "", ""}, {"b", std::string(400, 'x'), "", ""}}));
  const auto large =
      unpacked({{"c", std::string(600, 'x'), "", ""}, {"d", std::string(401, 'x'), "", ""}});
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().message.find("more than 1000 bytes (at entry 'd')"), std::string::npos);
  const auto many =
      unpacked({{"1", "", "", ""}, {"2", "", "", ""}, {"3", "", "", ""}, {"4", "", "", ""}});
  ASSERT_FALSE(many);
  EXPECT_NE(many.error().message.find("more than 3 entries"), std::string::npos);
  EXPECT_EQ(cached(), 1U);
}

TEST_F(ModelArtifactTest, HolesCountAsTheBytesThatTheyRead) {
  options_.bytes_max = 1 << 20;
  const fs::path path = root_ / "sparse.tar.gz";
  archive* a = archive_write_new();
  archive_write_add_filter_gzip(a);
  archive_write_set_format_pax(a);
  ASSERT_EQ(archive_write_open_filename(a, path.c_str()), ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, "hole");
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_size(entry, INT64_C(1) << 40);
  archive_entry_sparse_add_entry(entry, (INT64_C(1) << 40) - 1, 1);
  archive_write_header(a, entry);
  archive_write_data(a, "x", 1);
  archive_entry_free(entry);
  archive_write_free(a);
  const auto refused = find_model(path.string(), options_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("unpacks to more than"), std::string::npos)
      << refused.error().message;
}

TEST_F(ModelArtifactTest, WhatAKilledUnpackerLeftIsNoModel) {
  const std::vector<Entry> entries = {{"config.json", "{}", "", ""}};
  const auto whole = unpacked(entries);
  ASSERT_TRUE(whole);
  const fs::path folder = whole->folder;
  fs::rename(folder, folder.string() + ".making");
  std::ofstream(folder.string() + ".making/half") << "x";
  const auto again = find_model((root_ / "model.tar.gz").string(), options_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(fs::exists(again->folder / "config.json"));
  EXPECT_FALSE(fs::exists(again->folder / "half"));
  EXPECT_EQ(cached(), 1U);
}

TEST_F(ModelArtifactTest, ManyMayUnpackTheSameAtOnce) {
  const fs::path path = root_ / "model.tar.gz";
  write_archive(path, {{"config.json", "{}", "", ""}, {"big", std::string(3000000, 'x'), "", ""}});
  std::vector<std::future<Result<ModelArtifact>>> all;
  for (int i = 0; i < 8; ++i) {
    all.push_back(
        std::async(std::launch::async, [&] { return find_model(path.string(), options_); }));
  }
  for (auto& one : all) {
    const auto found = one.get();
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(fs::file_size(found->folder / "big"), 3000000U);
  }
  EXPECT_EQ(cached(), 1U);
}

TEST_F(ModelArtifactTest, DamagedArchivesAreNamedAndLeaveNothing) {
  const fs::path path = root_ / "broken.tar.gz";
  std::ofstream(path) << "this is no archive";
  const auto refused = find_model(path.string(), options_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("broken.tar.gz"), std::string::npos);
  write_archive(path, {{"big", std::string(100000, 'x'), "", ""}});
  fs::resize_file(path, fs::file_size(path) - 20);
  EXPECT_FALSE(find_model(path.string(), options_));
  EXPECT_EQ(cached(), 0U);
  EXPECT_FALSE(find_model((root_ / "missing.tar.gz").string(), options_));
}

// Each cut, and a wrong byte in checksum or length.
TEST_F(ModelArtifactTest, AnEndThatIsMissingOrWrongIsRefused) {
  const fs::path path = root_ / "end.tar.gz";
  write_archive(path, {{"code/inference.py", "pass", "", ""}});
  std::ifstream in(path, std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  for (size_t cut = 1; cut <= 24; ++cut) {
    std::ofstream(path, std::ios::binary) << whole.substr(0, whole.size() - cut);
    EXPECT_FALSE(find_model(path.string(), options_)) << cut;
  }
  for (size_t back = 1; back <= 8; ++back) {
    std::string wrong = whole;
    wrong[wrong.size() - back] ^= 1;
    std::ofstream(path, std::ios::binary) << wrong;
    EXPECT_FALSE(find_model(path.string(), options_)) << back;
  }
  std::ofstream(path, std::ios::binary) << whole + "more";
  const auto more = find_model(path.string(), options_);
  ASSERT_FALSE(more);
  EXPECT_NE(more.error().message.find("follow the gzip data"), std::string::npos)
      << more.error().message;
  EXPECT_EQ(cached(), 0U);
  std::ofstream(path, std::ios::binary) << whole;
  EXPECT_TRUE(find_model(path.string(), options_));
}

// The locale of a process that called no setlocale has no form for them.
TEST_F(ModelArtifactTest, NamesAndOwnersThatAreNoAsciiAreTaken) {
  const std::string name = "d\xC3\xA9\xE2\x82\xAC/\xF0\x9F\x98\x80.txt";
  const fs::path path = root_ / "names.tar.gz";
  {
    const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    const locale_t before = ::uselocale(utf8);
    write_archive(path, {{name, "x", "", ""}});
    ::uselocale(before);
    ::freelocale(utf8);
  }
  const auto model = find_model(path.string(), options_);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(fs::exists(model->folder / name));
}

TEST_F(ModelArtifactTest, AFileOfAnotherFormIsToldFromNone) {
  std::ofstream(root_ / "model.zip") << "PK";
  const auto refused = find_model((root_ / "model.zip").string(), options_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("neither a folder nor an archive"), std::string::npos);
}

}  // namespace
}  // namespace millrace::jobs
