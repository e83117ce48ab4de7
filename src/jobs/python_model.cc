#include "jobs/python_model.h"

#include <fmt/format.h>

#include <system_error>

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kImageModelFolder = "/opt/ml/model";
constexpr const char* kDefaultProgram = "inference.py";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// What SAGEMAKER_SUBMIT_DIRECTORY means here.
Result<fs::path> submit_folder(const fs::path& model, std::string submit,
                               const ArtifactOptions& options) {
  if (submit.starts_with("file://")) submit.erase(0, 7);
  const std::string_view rest =
      std::string_view(submit).substr(std::min(submit.size(), kImageModelFolder.size()));
  if (submit.starts_with(kImageModelFolder) && (rest.empty() || rest.front() == '/')) {
    const fs::path named = model / fs::path(rest).relative_path();
    if (!is_file(named)) return named;
    submit = named.string();  // an archive among the model's files
  }
  auto found = find_model(submit, options);
  if (!found) return fail(std::move(found).error().within("SAGEMAKER_SUBMIT_DIRECTORY"));
  return fs::absolute(found->folder);
}

}  // namespace

Result<std::optional<PythonModel>> find_python_model(const fs::path& folder,
                                                     const Variables& stated,
                                                     const ArtifactOptions& options) {
  const std::string program = value_of(stated, "SAGEMAKER_PROGRAM");
  const std::string submit = value_of(stated, "SAGEMAKER_SUBMIT_DIRECTORY");
  PythonModel out;
  out.model_folder = fs::absolute(folder).lexically_normal();
  out.program = program.empty() ? kDefaultProgram : program;
  if (program.find('/') != program.npos) {
    return fail(invalid_argument(
        fmt::format("SAGEMAKER_PROGRAM is {}: it names a file of the code's folder, as AWS's "
                    "toolkit imports none from elsewhere",
                    program)));
  }
  std::vector<fs::path> places = {out.model_folder / "code"};
  if (!submit.empty()) {
    MR_ASSIGN(places[0], submit_folder(out.model_folder, submit, options));
  } else if (!program.empty()) {
    places.push_back(out.model_folder);
  }
  for (const fs::path& place : places) {
    if (!is_file(place / out.program)) continue;
    out.code_folder = place;
    if (is_file(place / "requirements.txt")) out.requirements = place / "requirements.txt";
    return out;
  }
  if (program.empty() && submit.empty()) return std::nullopt;
  return fail(invalid_argument(
      fmt::format("{} names {}, which is not in {}",
                  program.empty() ? "SAGEMAKER_SUBMIT_DIRECTORY" : "SAGEMAKER_PROGRAM", out.program,
                  places[0].string())));
}

}  // namespace millrace::jobs
