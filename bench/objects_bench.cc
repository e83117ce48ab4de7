// What a job over many small objects in S3 costs beside its parts: the same records in one object,
// and the same client's listing, reading and writing of these objects alone.
//
//     objects_bench make|one|store|job BUCKET COUNT BYTES THREADS
//
// make: writes many/0000000 ... and one/all. The others print the seconds they take. The model is
// an echo in this process. AWS_* variables name server and credentials. See small_objects.py.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "handler/inference_handler.h"
#include "store/object_store.h"
#include "transform/plan_inputs.h"
#include "transform/transform_job.h"
#include "transform/work_storage.h"

namespace millrace {
namespace {

using Clock = std::chrono::steady_clock;

class EchoHandler final : public handler::InferenceHandler {
 public:
  EchoHandler() {
    traits_.reads_records_alone = true;
    traits_.identity = "echo";
  }
  const handler::HandlerTraits& traits() const override { return traits_; }
  std::future<Result<handler::InvokeReply>> invoke(handler::InvokeRequest request) override {
    handler::InvokeReply reply;
    reply.body = std::move(request.body);
    reply.records = std::move(request.records);
    std::promise<Result<handler::InvokeReply>> promise;
    promise.set_value(std::move(reply));
    return promise.get_future();
  }

 private:
  handler::HandlerTraits traits_;
};

struct Setup {
  std::string bucket;
  size_t count = 0;
  size_t bytes = 0;
  size_t threads = 1;
};

void stop_on(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) stop_on(result.error());
  return std::move(*result);
}
void must(const Status& status) {
  if (!status) stop_on(status.error());
}

std::string record_of(const Setup& setup, size_t number) {
  std::string text = "record " + std::to_string(number) + " ";
  text.resize(setup.bytes - 1, 'x');
  return text + "\n";
}

std::string key_of(size_t number) {
  std::string digits = std::to_string(number);
  return std::string(7 - digits.size(), '0') + digits;
}

void write(store::ObjectStore& store, const std::string& key, const std::string& text) {
  store::WriteOptions options;
  options.expected_size = text.size();
  const auto writer = must(store.create(key, options));
  must(writer->append(text));
  must(writer->commit());
}

template <class Work>
void on_threads(size_t threads, size_t count, Work work) {
  std::atomic<size_t> next = 0;
  std::vector<std::thread> workers;
  for (size_t i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (size_t k = next++; k < count; k = next++) work(k);
    });
  }
  for (std::thread& worker : workers) worker.join();
}

void make(store::ObjectStore& store, const Setup& setup) {
  std::string all;
  for (size_t i = 0; i < setup.count; ++i) all += record_of(setup, i);
  write(store, "one/all", all);
  on_threads(setup.threads, setup.count,
             [&](size_t i) { write(store, "many/" + key_of(i), record_of(setup, i)); });
}

std::vector<store::ObjectInfo> list(store::ObjectStore& store, const std::string& prefix) {
  std::vector<store::ObjectInfo> objects;
  must(store.list(prefix, [&](const store::ObjectInfo& object) -> Status {
    objects.push_back(object);
    return {};
  }));
  return objects;
}

// List, get and put, and nothing between them.
void copy_all(store::ObjectStore& store, const Setup& setup) {
  const auto objects = list(store, "many/");
  MR_CHECK(objects.size() == setup.count);
  on_threads(setup.threads, objects.size(), [&](size_t i) {
    const auto reader = must(store.open(objects[i], 0, objects[i].size));
    std::string text(objects[i].size, '\0');
    for (size_t have = 0; have < text.size();) {
      have += must(reader->read(std::span(text).subspan(have)));
    }
    write(store, "copy/" + objects[i].key, text);
  });
}

void run_job(store::ObjectStore& store, const Setup& setup, const std::string& prefix) {
  transform::PlanOptions options;
  options.input_prefix = prefix;
  options.output_prefix = "out-" + prefix;
  transform::TransformJob job;
  job.name = "bench";
  job.objects = must(transform::plan_inputs(store, options)).objects;
  job.format.content_type = "text/plain";
  job.format.split_type = record::SplitType::kLine;
  job.format.assemble_with = record::AssembleWith::kLine;
  job.format.max_payload_bytes = 6 << 20;
  job.if_exists = transform::IfExists::kOverwrite;
  job.settings_digest = "bench";
  job.feeders = 4;
  EchoHandler echo;
  const auto area = std::filesystem::temp_directory_path() /
                    ("objects_bench-" + std::to_string(Clock::now().time_since_epoch().count()));
  const auto report = must(transform::run_transform_job(
      job, store, store, echo, transform::make_folder_storage(area), {}, {}));
  for (const auto& object : report.objects) {
    if (!object.error.empty()) stop_on(bad_input(object.error));
  }
  MR_CHECK(report.records == setup.count);
}

int run(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: objects_bench make|one|store|job BUCKET COUNT BYTES THREADS\n");
    return 2;
  }
  const std::string what = argv[1];
  const Setup setup = {argv[2], std::strtoull(argv[3], nullptr, 10),
                       std::strtoull(argv[4], nullptr, 10), std::strtoull(argv[5], nullptr, 10)};
  const auto store = must(store::make_s3_store(setup.bucket, {}));
  const Clock::time_point start = Clock::now();
  if (what == "make") make(*store, setup);
  if (what == "one") run_job(*store, setup, "one/");
  if (what == "store") copy_all(*store, setup);
  if (what == "job") run_job(*store, setup, "many/");
  std::printf("%.3f\n", std::chrono::duration<double>(Clock::now() - start).count());
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  return millrace::run(argc, argv);
}
