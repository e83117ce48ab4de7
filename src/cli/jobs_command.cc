// `millrace jobs`: what runs on a `millrace serve`, by its own API.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/clock.h"
#include "base/uri.h"
#include "cli/api_client.h"
#include "cli/cli.h"
#include "cli/console.h"
#include "cli/signals.h"

namespace millrace::cli {
namespace {

using nlohmann::json;

constexpr char kLogGroup[] = "/aws/sagemaker/TransformJobs";

struct JobsArguments {
  ApiClientOptions client;
  std::string name;
  std::string status;
  size_t count = 20;
  double poll_seconds = 1;
  bool follow = false;
};

class JobsClient {
 public:
  JobsClient(ApiClient api, const JobsArguments& arguments, CancelToken cancel)
      : api_(std::move(api)), arguments_(arguments), cancel_(std::move(cancel)) {}

  Status list() {
    std::string token;
    for (size_t left = arguments_.count; left > 0;) {
      json request = {{"MaxResults", std::min<size_t>(left, 100)}};
      if (!arguments_.status.empty()) request["StatusEquals"] = arguments_.status;
      if (!token.empty()) request["NextToken"] = token;
      MR_ASSIGN(const json page, sagemaker("ListTransformJobs", request));
      for (const json& job : page["TransformJobSummaries"]) {
        put(fmt::format("{:<20} {:<11} {}\n", time_text(job["CreationTime"]),
                        job["TransformJobStatus"].get<std::string>(),
                        job["TransformJobName"].get<std::string>()));
        --left;
      }
      token = page.value("NextToken", "");
      if (token.empty()) return {};
    }
    return {};
  }

  Status describe() {
    MR_ASSIGN(const json job, describe_job());
    put(job.dump(2) + '\n');
    return {};
  }

  Status stop() {
    MR_TRY(sagemaker("StopTransformJob", named()));
    return {};
  }

  Status resume() {
    MR_TRY(api_.rest("POST", "/v1/jobs/" + percent_encode(arguments_.name) + "/resume", cancel_));
    return {};
  }

  Status forget() {
    MR_TRY(api_.rest("DELETE", "/v1/jobs/" + percent_encode(arguments_.name), cancel_));
    return {};
  }

  // Returns when the job has ended; an error unless it is Completed.
  Status wait() {
    for (;;) {
      MR_ASSIGN(const json job, describe_job());
      const auto status = job["TransformJobStatus"].get<std::string>();
      if (status == "Completed") return {};
      if (has_ended(status)) {
        return fail(
            bad_input(arguments_.name + ": " + status + ". " + job.value("FailureReason", "")));
      }
      if (!pause()) return fail(cancelled("interrupted"));
    }
  }

  // The lines of all streams so far; with --follow until the job has ended. The status is asked for
  // before the lines, so that none that belong to the end are missed.
  Status logs() {
    for (;;) {
      bool ended = true;
      if (arguments_.follow) {
        MR_ASSIGN(const json job, describe_job());
        ended = has_ended(job["TransformJobStatus"]);
      }
      MR_TRY(print_new_lines());
      if (ended) return {};
      if (!pause()) return fail(cancelled("interrupted"));
    }
  }

 private:
  static bool has_ended(const std::string& status) {
    return status != "InProgress" && status != "Stopping";
  }

  static std::string time_text(double seconds) {
    return format_iso8601(WallTime(std::chrono::seconds(static_cast<int64_t>(seconds))));
  }

  json named() const { return {{"TransformJobName", arguments_.name}}; }

  Result<json> sagemaker(const std::string& operation, const json& request) {
    return api_.call("sagemaker", "SageMaker." + operation, request, cancel_);
  }
  Result<json> describe_job() { return sagemaker("DescribeTransformJob", named()); }

  bool pause() {
    return real_clock().sleep(
        std::chrono::milliseconds(static_cast<int64_t>(arguments_.poll_seconds * 1000)), cancel_);
  }

  Status print_new_lines() {
    MR_ASSIGN(const json streams, api_.call("logs", "Logs_20140328.DescribeLogStreams",
                                            {{"logGroupName", kLogGroup},
                                             {"logStreamNamePrefix", arguments_.name + "/"}},
                                            cancel_));
    for (const json& stream : streams["logStreams"]) {
      MR_TRY(print_stream(stream["logStreamName"].get<std::string>()));
    }
    return {};
  }

  Status print_stream(const std::string& stream) {
    for (;;) {
      json request = {
          {"logGroupName", kLogGroup}, {"logStreamName", stream}, {"startFromHead", true}};
      std::string& token = tokens_[stream];
      if (!token.empty()) request["nextToken"] = token;
      MR_ASSIGN(const json page, api_.call("logs", "Logs_20140328.GetLogEvents", request, cancel_));
      token = page["nextForwardToken"].get<std::string>();
      if (page["events"].empty()) return {};
      for (const json& event : page["events"]) put(event["message"].get<std::string>() + '\n');
    }
  }

  ApiClient api_;
  const JobsArguments& arguments_;
  const CancelToken cancel_;
  std::map<std::string, std::string> tokens_;  // stream -> where to go on
};

using Action = Status (JobsClient::*)();

int run_jobs(const JobsArguments& arguments, const Context& context, Action action) {
  const CancelToken cancel;
  cancel_on_signals(cancel);
  ApiClientOptions options = arguments.client;
  options.environment = context.environment;
  auto api = ApiClient::open(options, cancel);
  if (!api) return refuse(api.error());
  JobsClient client(std::move(*api), arguments, cancel);
  const Status done = (client.*action)();
  if (done) return kExitOk;
  say(done.error().message);
  if (done.error().code == Code::kCancelled) return kExitInterrupted;
  return done.error().code == Code::kBadInput ? kExitFailed : kExitNotStarted;
}

}  // namespace

void add_jobs_command(CLI::App* app, const Context& context, Run* run) {
  CLI::App* jobs = app->add_subcommand(
      "jobs", "Jobs of a `millrace serve`: list, describe, ...; what local ones left: clean");
  jobs->require_subcommand(1);
  const auto arguments = std::make_shared<JobsArguments>();
  struct Row {
    const char* name;
    const char* help;
    Action action;
    bool named;
  };
  static constexpr Row kRows[] = {
      {"list", "The newest jobs", &JobsClient::list, false},
      {"describe", "A job, with its progress, as JSON", &JobsClient::describe, true},
      {"stop", "Stop a job; outputs that are committed stay", &JobsClient::stop, true},
      {"logs", "The lines of a job's logs", &JobsClient::logs, true},
      {"wait", "Wait for a job's end; exit status 1 unless it is Completed", &JobsClient::wait,
       true},
      {"resume", "Go on with a job that failed or was stopped", &JobsClient::resume, true},
      {"delete", "Forget a job that has ended; its name is free again", &JobsClient::forget, true},
  };
  for (const Row& row : kRows) {
    CLI::App* command = jobs->add_subcommand(row.name, row.help);
    if (row.named) command->add_option("NAME", arguments->name, "The job's name")->required();
    command
        ->add_option("--endpoint-url", arguments->client.endpoint_url,
                     "The server (default: AWS_ENDPOINT_URL_SAGEMAKER, else "
                     "http://127.0.0.1:8800)")
        ->type_name("URL");
    command->add_option("--profile", arguments->client.profile, "AWS profile with the access key")
        ->type_name("NAME");
    command->add_option("--region", arguments->client.region, "The server's region")
        ->type_name("NAME");
    const std::string name = row.name;
    if (name == "list") {
      command->add_option("--status", arguments->status, "Only jobs in this state")
          ->check(CLI::IsMember({"InProgress", "Completed", "Failed", "Stopping", "Stopped"}));
      command->add_option("--count", arguments->count, "How many (default: 20)")->type_name("N");
    }
    if (name == "logs") {
      command->add_flag("--follow", arguments->follow, "Go on until the job has ended");
    }
    if (name == "logs" || name == "wait") {
      command->add_option("--poll-seconds", arguments->poll_seconds, "Pause between two looks")
          ->check(CLI::Range(0.1, 3600.0))
          ->capture_default_str();
    }
    command->callback([=, &context] {
      *run = [=, &context] { return run_jobs(*arguments, context, row.action); };
    });
  }
  add_jobs_clean_command(jobs, context, run);
}

}  // namespace millrace::cli
