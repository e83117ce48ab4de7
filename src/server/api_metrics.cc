#include "server/api_metrics.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "millrace/version.h"

namespace millrace::server {
namespace {

void metric(std::string* out, std::string_view name, std::string_view kind, std::string_view help) {
  *out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, kind);
}

void single(std::string* out, std::string_view name, std::string_view kind, std::string_view help,
            double value) {
  metric(out, name, kind, help);
  *out += fmt::format("{} {}\n", name, value);
}

void single(std::string* out, std::string_view name, std::string_view kind, std::string_view help,
            uint64_t value) {
  metric(out, name, kind, help);
  *out += fmt::format("{} {}\n", name, value);
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// SageMaker's CPUUtilization and MemoryUtilization are rates of these.
void add_process(std::string* out) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  single(out, "process_cpu_seconds_total", "counter", "CPU time of this process.",
         seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
  uint64_t pages = 0;
  uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  single(out, "process_resident_memory_bytes", "gauge", "Memory of this process.",
         resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)));
}

void add_jobs(std::string* out, const jobs::ServiceCounters& jobs) {
  metric(out, "millrace_jobs_total", "counter", "Transform jobs by what became of them.");
  for (const auto& [name, value] : {std::pair{"created", jobs.jobs_created},
                                    {"completed", jobs.jobs_completed},
                                    {"failed", jobs.jobs_failed},
                                    {"stopped", jobs.jobs_stopped}}) {
    *out += fmt::format("millrace_jobs_total{{event=\"{}\"}} {}\n", name, value);
  }
  single(out, "millrace_records_total", "counter", "Records transformed.", jobs.records);
  single(out, "millrace_record_errors_total", "counter", "Records refused.", jobs.record_errors);
  single(out, "millrace_objects_total", "counter", "Input objects done with.", jobs.objects);
  single(out, "millrace_object_errors_total", "counter", "Input objects failed.",
         jobs.object_errors);
  single(out, "millrace_store_errors_total", "counter", "Failed writes to the job store.",
         jobs.store_errors);
  single(out, "millrace_events_sent_total", "counter", "State changes delivered.",
         jobs.events_sent);
  single(out, "millrace_events_lost_total", "counter", "State changes not delivered.",
         jobs.events_lost);
  single(out, "millrace_model_loads_total", "counter", "Models loaded.", jobs.model_loads);
  single(out, "millrace_model_hits_total", "counter", "Jobs whose model was loaded already.",
         jobs.model_hits);
  single(out, "millrace_jobs_queued", "gauge", "Jobs that wait.", jobs.jobs_queued);
  single(out, "millrace_jobs_running", "gauge", "Jobs that run.", jobs.jobs_running);
  single(out, "millrace_jobs_stored", "gauge", "Jobs in the store.", jobs.jobs_stored);
  single(out, "millrace_models_stored", "gauge", "Models in the store.", jobs.models_stored);
  single(out, "millrace_models_loaded", "gauge", "Models in memory.", jobs.models_loaded);
  single(out, "millrace_model_bytes", "gauge", "Memory of loaded models.", jobs.model_bytes);
}

void add_http(std::string* out, const ServerCounters& http) {
  single(out, "millrace_http_connections_total", "counter", "Connections accepted.", http.accepted);
  single(out, "millrace_http_connections_refused_total", "counter",
         "Connections closed because there were too many.", http.turned_away);
  single(out, "millrace_http_connections", "gauge", "Connections open.", http.open);
  single(out, "millrace_http_requests_total", "counter", "Requests read.", http.requests);
  single(out, "millrace_http_refused_total", "counter",
         "Requests refused before they were read whole.", http.refused);
}

}  // namespace

void ApiMetrics::count(std::string_view operation, int status, std::string_view code,
                       double seconds) {
  const size_t bucket = static_cast<size_t>(
      std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin());
  const std::string outcome = fmt::format("code=\"{}\",status=\"{}\"", code, status);
  const std::lock_guard lock(mutex_);
  auto at = requests_.find(operation);
  if (at == requests_.end()) at = requests_.emplace(operation, Requests()).first;
  ++at->second.by_outcome[outcome];
  ++at->second.buckets[bucket];
  ++at->second.count;
  at->second.seconds += seconds;
}

std::string ApiMetrics::text(const jobs::ServiceCounters& jobs, const ServerCounters& http) const {
  std::string out;
  metric(&out, "millrace_build_info", "gauge", "The version that runs.");
  out += fmt::format("millrace_build_info{{version=\"{}\"}} 1\n", kVersion);
  add_process(&out);
  add_jobs(&out, jobs);
  add_http(&out, http);
  const std::lock_guard lock(mutex_);
  metric(&out, "millrace_api_requests_total", "counter", "Requests by operation and outcome.");
  for (const auto& [operation, requests] : requests_) {
    for (const auto& [outcome, count] : requests.by_outcome) {
      out += fmt::format("millrace_api_requests_total{{operation=\"{}\",{}}} {}\n", operation,
                         outcome, count);
    }
  }
  metric(&out, "millrace_api_request_seconds", "histogram", "Time to answer, by operation.");
  for (const auto& [operation, requests] : requests_) {
    uint64_t below = 0;
    for (size_t i = 0; i < kBounds.size(); ++i) {
      below += requests.buckets[i];
      out += fmt::format("millrace_api_request_seconds_bucket{{operation=\"{}\",le=\"{}\"}} {}\n",
                         operation, kBounds[i], below);
    }
    out += fmt::format(
        "millrace_api_request_seconds_bucket{{operation=\"{0}\",le=\"+Inf\"}} {1}\n"
        "millrace_api_request_seconds_sum{{operation=\"{0}\"}} {2}\n"
        "millrace_api_request_seconds_count{{operation=\"{0}\"}} {1}\n",
        operation, requests.count, requests.seconds);
  }
  return out;
}

}  // namespace millrace::server
