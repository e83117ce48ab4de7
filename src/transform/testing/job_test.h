// JobTest: what tests of whole jobs share: two stores in memory, a handler, a work area in a
// temporary folder, and a job over all of the input store.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "transform/plan_inputs.h"
#include "transform/testing/fake_handler.h"
#include "transform/testing/memory_store.h"
#include "transform/transform_job.h"
#include "transform/work_storage.h"

namespace millrace::testing {

// In memory where that can be had: these tests sync many small files.
inline std::filesystem::path temporary_folder() {
  const std::filesystem::path memory = "/dev/shm";
  const bool has_memory = std::filesystem::is_directory(memory);
  const auto folder = has_memory ? memory : std::filesystem::temp_directory_path();
  std::string pattern = (folder / "millrace-XXXXXX").string();
  return ::mkdtemp(pattern.data());
}

class JobTest : public ::testing::Test {
 protected:
  JobTest() {
    folder_ = temporary_folder();
    job_.name = "job";
    job_.format.content_type = "text/plain";
    job_.format.split_type = record::SplitType::kLine;
    job_.format.assemble_with = record::AssembleWith::kLine;
    job_.format.max_payload_bytes = 100;
    job_.settings_digest = "d1";
    job_.part_bytes = 100;
  }
  ~JobTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path area() const { return folder_ / "jobs" / "job"; }
  virtual std::unique_ptr<transform::WorkStorage> work() {
    return transform::make_folder_storage(area());
  }

  // Plans all of the input store and runs the job.
  Result<transform::JobReport> run() { return run(handler_); }
  Result<transform::JobReport> run(handler::InferenceHandler& handler) {
    transform::PlanOptions options;
    options.output_prefix = "out/";
    Result<transform::Plan> plan = transform::plan_inputs(input_, options);
    if (!plan) return fail(plan.error());
    job_.objects = plan->objects;
    return transform::run_transform_job(job_, input_, output_, handler, work(), progress_, cancel_);
  }

  // Runs it and expects it to complete.
  std::map<std::string, std::string> outputs() {
    const auto report = run();
    if (!report) {
      ADD_FAILURE() << report.error().message;
    } else {
      EXPECT_EQ(report->status, transform::JobReport::Status::kCompleted) << first_error(*report);
    }
    return output_.all();
  }

  static std::string first_error(const transform::JobReport& report) {
    for (const auto& object : report.objects) {
      if (!object.error.empty()) return object.error;
    }
    return "";
  }

  std::filesystem::path folder_;
  MemoryStore input_{"in"};
  MemoryStore output_{"out"};
  FakeHandler handler_;
  transform::TransformJob job_;
  transform::ProgressSink progress_;
  CancelToken cancel_;
};

// `count` lines of varying length: "<name>-<i>" and some x.
inline std::string lines(const std::string& name, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) {
    text += name + "-" + std::to_string(i) + std::string(i * 7 % 23, 'x') + "\n";
  }
  return text;
}

// What FakeHandler makes of lines under AssembleWith Line.
inline std::string answered(const std::string& text) {
  std::string out;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    out += "<" + text.substr(start, end - start) + ">\n";
    start = end + 1;
  }
  return out;
}

}  // namespace millrace::testing
