// What is said of the records that job_service.h defines: the names of states.
#include <array>
#include <utility>

#include "jobs/job_service.h"

namespace millrace::jobs {
namespace {

constexpr std::array<std::pair<JobStatus, std::string_view>, 5> kStatusNames = {{
    {JobStatus::kInProgress, "InProgress"},
    {JobStatus::kCompleted, "Completed"},
    {JobStatus::kFailed, "Failed"},
    {JobStatus::kStopping, "Stopping"},
    {JobStatus::kStopped, "Stopped"},
}};

}  // namespace

std::string_view job_status_name(JobStatus status) {
  for (const auto& [value, name] : kStatusNames) {
    if (value == status) return name;
  }
  return {};
}

std::optional<JobStatus> parse_job_status(std::string_view name) {
  for (const auto& [value, text] : kStatusNames) {
    if (text == name) return value;
  }
  return std::nullopt;
}

bool is_terminal(JobStatus status) {
  return status != JobStatus::kInProgress && status != JobStatus::kStopping;
}

}  // namespace millrace::jobs
