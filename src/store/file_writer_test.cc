// The file store's writing side: whole or not at all, beneath the root, nothing left behind.
#include "store/file_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "store/test_folder.h"

namespace millrace::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Journal final : public UploadJournal {
 public:
  Status upload_intent(std::string_view key) override { return note("intent " + std::string(key)); }
  Status upload_started(std::string_view key, std::string_view id) override {
    last_id = std::string(id);
    return note("started " + std::string(key));
  }
  Status upload_ended(std::string_view key) override { return note("ended " + std::string(key)); }

  std::vector<std::string> lines;
  std::string last_id;
  bool broken = false;

 private:
  Status note(std::string line) {
    if (broken) return fail(internal_error("journal: No space left on device"));
    lines.push_back(std::move(line));
    return {};
  }
};

Status write_whole(const std::string& root, std::string_view key, const std::string& content,
                   const WriteOptions& options, FileKind kind) {
  MR_ASSIGN(const auto writer, create_file(root, key, options, kind));
  MR_TRY(writer->append(content));
  return writer->commit();
}

class FileWriterTest : public ::testing::TestWithParam<FileKind> {
 protected:
  Status put(std::string_view key, const std::string& content, bool overwrite = true) {
    WriteOptions options;
    options.overwrite = overwrite;
    options.journal = &journal;
    return write_whole(root, key, content, options, GetParam());
  }
  Result<std::unique_ptr<ObjectWriter>> create(std::string_view key) {
    WriteOptions options;
    options.journal = &journal;
    return create_file(root, key, options, GetParam());
  }
  size_t hidden_files() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
      if (entry.path().filename().string().rfind(".millrace-", 0) == 0) ++count;
    }
    return count;
  }

  TestFolder folder;
  std::string root = folder / "out";
  Journal journal;
};

TEST_P(FileWriterTest, NothingIsVisibleBeforeCommitAndAllAfter) {
  const auto store = make_file_store(root);
  {
    const auto writer = create("a/b/x").value();
    ASSERT_TRUE(writer->append(std::string(1000000, 'x')));
    ASSERT_TRUE(store->list("", [](const ObjectInfo& object) -> Status {
      ADD_FAILURE() << object.key;
      return {};
    }));
    ASSERT_TRUE(writer->append("end"));
    const Status committed = writer->commit();
    ASSERT_TRUE(committed) << committed.error().message;
  }
  EXPECT_EQ(folder.read("out/a/b/x"), std::string(1000000, 'x') + "end");
  EXPECT_EQ(hidden_files(), 0u);
}

TEST_P(FileWriterTest, WithoutCommitNothingIsLeftNotEvenFolders) {
  {
    const auto writer = create("a/b/x").value();
    ASSERT_TRUE(writer->append(std::string(1000000, 'x')));
  }
  EXPECT_EQ(folder.entries(), 0u);
}

TEST_P(FileWriterTest, AFolderThatWasThereIsNotRemoved) {
  std::filesystem::create_directories(root + "/a");
  { const auto writer = create("a/b/x").value(); }
  EXPECT_TRUE(std::filesystem::exists(root + "/a"));
}

TEST_P(FileWriterTest, OverwritesWhole) {
  ASSERT_TRUE(put("x", "old"));
  ASSERT_TRUE(put("x", "new"));
  EXPECT_EQ(folder.read("out/x"), "new");
  EXPECT_EQ(folder.entries(), 2u);
}

TEST_P(FileWriterTest, WithoutOverwriteATakenNameIsAlreadyExistsAtCommit) {
  WriteOptions options;
  options.overwrite = false;
  const auto writer = create_file(root, "d/x", options, GetParam()).value();
  ASSERT_TRUE(writer->append("mine"));
  folder.write("out/d/x", "theirs");  // after create: found when the name is given
  const Status committed = writer->commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Code::kAlreadyExists);
  EXPECT_THAT(committed.error().message, HasSubstr("out/d/x"));
  EXPECT_EQ(folder.read("out/d/x"), "theirs");
  EXPECT_EQ(hidden_files(), GetParam() == FileKind::kHidden ? 1u : 0u);  // until destroyed
}

TEST_P(FileWriterTest, LinksOutOfTheRootAreRefused) {
  std::filesystem::create_directories(root);
  std::filesystem::create_directories(folder / "elsewhere");
  ASSERT_EQ(::symlink("../elsewhere", (root + "/link").c_str()), 0);
  const Status status = put("link/x", "x");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::kBadInput);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "elsewhere"));
}

TEST_P(FileWriterTest, ALinkAtTheNameIsReplacedNotFollowed) {
  folder.write("target", "untouched");
  std::filesystem::create_directories(root);
  ASSERT_EQ(::symlink("../target", (root + "/x").c_str()), 0);
  ASSERT_TRUE(put("x", "new"));
  EXPECT_EQ(folder.read("target"), "untouched");
  EXPECT_EQ(folder.read("out/x"), "new");
}

TEST_P(FileWriterTest, KeysThatAreNoPathAreRefused) {
  for (const std::string& key : {std::string("../../x"), std::string("a//b"), std::string("a/./b"),
                                 std::string("/etc/x"), std::string(300, 'k')}) {
    const auto writer = create(key);
    ASSERT_FALSE(writer) << key;
    EXPECT_EQ(writer.error().code, Code::kBadInput);
    EXPECT_THAT(writer.error().message, HasSubstr(key.substr(0, 100)));
  }
  EXPECT_EQ(folder.entries(), 0u);
}

TEST_P(FileWriterTest, AKeyOfAThousandBytesWorks) {
  std::string key;
  while (key.size() < 1000) key += std::string(99, 'k') + "/";
  key += "x";
  ASSERT_TRUE(put(key, "deep"));
  EXPECT_EQ(folder.read("out/" + key), "deep");
}

TEST_P(FileWriterTest, AFileWhereAFolderIsNeededAndTheOtherWayRound) {
  folder.write("out/file", "x");
  std::filesystem::create_directories(root + "/folder");
  const Status below = put("file/x", "x");
  ASSERT_FALSE(below);
  EXPECT_EQ(below.error().code, Code::kBadInput);
  EXPECT_THAT(below.error().message, HasSubstr("out/file/x"));
  const Status above = put("folder", "x");
  ASSERT_FALSE(above);
  EXPECT_EQ(above.error().code, Code::kBadInput);
  EXPECT_THAT(above.error().message, HasSubstr("folder of that name"));
  EXPECT_EQ(hidden_files(), 0u);
}

TEST_P(FileWriterTest, ANeighbourThatGivesUpMayRemoveTheFolder) {
  const auto mine = create("a/b/mine").value();
  ASSERT_TRUE(mine->append("x"));
  std::filesystem::remove_all(root + "/a");  // as its undo would
  if (GetParam() == FileKind::kUnnamed) std::filesystem::remove_all(root);
  const Status committed = mine->commit();
  ASSERT_TRUE(committed) << committed.error().message;
  EXPECT_EQ(folder.read("out/a/b/mine"), "x");
}

TEST_P(FileWriterTest, ManyWritersShareFoldersWhileOthersGiveUp) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 25; ++i) {
        const std::string key = "d" + std::to_string(i) + "/e/" + std::to_string(t);
        WriteOptions options;
        const auto writer = create_file(root, key, options, GetParam()).value();
        ASSERT_TRUE(writer->append(key));
        if (t % 2 == 0) {
          const Status committed = writer->commit();
          ASSERT_TRUE(committed) << committed.error().message;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 25; ++i) {
    const std::string key = "d" + std::to_string(i) + "/e/2";
    EXPECT_EQ(folder.read("out/" + key), key);
  }
  EXPECT_EQ(hidden_files(), 0u);
}

TEST_P(FileWriterTest, AFullDiskIsToldWithTheObjectAndLeavesNothing) {
  // A file size limit stands in for the disk: same path, no root needed.
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100000, 100000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto writer = create("d/big");
    Status status = (*writer)->append(std::string(1000000, 'x'));
    if (status) status = (*writer)->commit();
    const bool told =
        !status && status.error().message.find("d/big: File too large") != std::string::npos;
    const bool sticky = !(*writer)->commit();
    writer->reset();
    ::_exit(told && sticky && folder.entries() == 0 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_P(FileWriterTest, AbortUploadRemovesWhatAKilledWriterLeft) {
  folder.write("out/a/x", "old");
  const pid_t child = ::fork();
  if (child == 0) {
    const auto writer = create("a/x").value();
    (void)writer->append(std::string(1000000, 'x'));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(hidden_files(), GetParam() == FileKind::kHidden ? 1u : 0u);
  const auto store = make_file_store(root);
  EXPECT_TRUE(store->abort_upload("a/y", ""));
  EXPECT_TRUE(store->abort_upload("a/x", ""));
  EXPECT_EQ(hidden_files(), 0u);
  EXPECT_EQ(folder.read("out/a/x"), "old");
}

TEST_P(FileWriterTest, AFailingJournalFailsTheWriterNotTheProgram) {
  ASSERT_TRUE(put("x", "old"));
  journal.broken = true;
  const Status status = put("x", "new");
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("journal"));
  EXPECT_EQ(folder.read("out/x"), "old");
  EXPECT_EQ(folder.entries(), 2u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, FileWriterTest,
                         ::testing::Values(FileKind::kUnnamed, FileKind::kHidden),
                         [](const auto& kind) {
                           return kind.param == FileKind::kUnnamed ? "Unnamed" : "Hidden";
                         });

TEST(FileWriterJournal, AnUnnamedFileNeedsNoneAHiddenNameIsJournalledFirst) {
  const TestFolder folder;
  Journal journal;
  WriteOptions options;
  options.journal = &journal;
  ASSERT_TRUE(write_whole(folder.path(), "x", "1", options, FileKind::kUnnamed));
  EXPECT_THAT(journal.lines, IsEmpty());
  ASSERT_TRUE(write_whole(folder.path(), "x", "2", options, FileKind::kUnnamed));
  EXPECT_THAT(journal.lines, ElementsAre("intent x", "started x", "ended x"));
  journal.lines.clear();
  { const auto writer = create_file(folder.path(), "a/y", options, FileKind::kHidden).value(); }
  EXPECT_THAT(journal.lines, ElementsAre("intent a/y", "started a/y", "ended a/y"));
}

TEST(FileWriterAbort, AnIdRemovesExactlyThatFileAndNoOther) {
  const TestFolder folder;
  Journal journal;
  WriteOptions options;
  options.journal = &journal;
  const auto store = make_file_store(folder.path());
  const auto first = create_file(folder.path(), "a/x", options, FileKind::kHidden).value();
  const std::string first_id = journal.last_id;
  const auto second = create_file(folder.path(), "a/x", options, FileKind::kHidden).value();
  EXPECT_TRUE(store->abort_upload("a/x", first_id));
  EXPECT_FALSE(std::filesystem::exists(folder / first_id));
  EXPECT_TRUE(std::filesystem::exists(folder / journal.last_id));
  folder.write("precious", "x");
  EXPECT_FALSE(store->abort_upload("a/x", "precious"));
  EXPECT_FALSE(store->abort_upload("a/x", "../precious"));
  EXPECT_TRUE(std::filesystem::exists(folder / "precious"));
}

TEST(FileWriterRoot, ARootThatIsAFileIsToldSo) {
  const TestFolder folder;
  folder.write("out", "x");
  const auto writer = make_file_store(folder / "out")->create("x", {});
  ASSERT_FALSE(writer);
  EXPECT_THAT(writer.error().message, HasSubstr("is a file, not a folder"));
}

}  // namespace
}  // namespace millrace::store
