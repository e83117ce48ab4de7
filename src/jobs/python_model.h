// Which of a model's files are the user's code: what SAGEMAKER_PROGRAM and
// SAGEMAKER_SUBMIT_DIRECTORY say, or code/inference.py.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "jobs/job_options.h"
#include "jobs/model_artifact.h"

namespace millrace::jobs {

struct PythonModel {
  std::filesystem::path model_folder;
  std::filesystem::path code_folder;
  std::string program;  // the module's file below code_folder
  // requirements.txt beside the code; empty: there is none
  std::filesystem::path requirements;
};

// The code that belongs to the model in `folder`; nullopt where there is none. `stated`: the
// model's and the job's Environment. A submit directory in an archive (local or s3://) is unpacked
// into the cache; "/opt/ml/model/..." is taken to mean the model's folder. invalid_argument where
// the variables name what is not there.
Result<std::optional<PythonModel>> find_python_model(const std::filesystem::path& folder,
                                                     const Variables& stated,
                                                     const ArtifactOptions& options);

}  // namespace millrace::jobs
