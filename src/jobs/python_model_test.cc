// Where a model's code is: what SAGEMAKER_PROGRAM and SAGEMAKER_SUBMIT_DIRECTORY may say.
#include "jobs/python_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;

class PythonModelTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/millrace-python-model-XXXXXX";
    root_ = ::mkdtemp(pattern);
    model_ = root_ / "model";
    options_.cache_folder = root_ / "cache";
    options_.make_store = [](const store::Location& location) {
      return Result<std::unique_ptr<store::ObjectStore>>(store::make_file_store(location.path));
    };
  }
  void TearDown() override { fs::remove_all(root_); }

  void write(const std::string& name) {
    fs::create_directories((model_ / name).parent_path());
    std::ofstream(model_ / name) << "pass\n";
  }
  Result<std::optional<PythonModel>> found(const Variables& stated) {
    return find_python_model(model_, stated, options_);
  }

  fs::path root_;
  fs::path model_;
  ArtifactOptions options_;
};

TEST_F(PythonModelTest, TheDefaultIsInferenceInCodeAndAModelWithoutHasNone) {
  fs::create_directories(model_);
  const auto none = found({});
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  write("code/inference.py");
  write("code/requirements.txt");
  const auto code = found({});
  ASSERT_TRUE(code && *code);
  EXPECT_EQ((*code)->code_folder, model_ / "code");
  EXPECT_EQ((*code)->requirements, model_ / "code" / "requirements.txt");
}

TEST_F(PythonModelTest, AProgramThatNoImportCouldFindIsRefusedByName) {
  write("code/inference.py");
  write("code/src/serve.py");
  for (const std::string name : {"src/serve.py", "../model/code/inference.py", "/etc/hostname"}) {
    const auto refused = found({{"SAGEMAKER_PROGRAM", name}});
    ASSERT_FALSE(refused) << name;
    EXPECT_THAT(refused.error().message, HasSubstr("SAGEMAKER_PROGRAM is " + name));
  }
}

TEST_F(PythonModelTest, CodeMayLieInAnArchiveAmongTheModelsFiles) {
  write("serve.py");
  const std::string tar =
      "tar -C " + model_.string() + " -czf " + (model_ / "sourcedir.tar.gz").string() + " serve.py";
  ASSERT_EQ(::system(tar.c_str()), 0);
  fs::remove(model_ / "serve.py");
  const auto code = found({{"SAGEMAKER_PROGRAM", "serve.py"},
                           {"SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/sourcedir.tar.gz"}});
  ASSERT_TRUE(code && *code) << (code ? "" : code.error().message);
  EXPECT_TRUE(fs::exists((*code)->code_folder / "serve.py"));
  EXPECT_THAT((*code)->model_folder.string(), EndsWith("/model"));
}

}  // namespace
}  // namespace millrace::jobs
