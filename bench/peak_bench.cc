// What this CPU can do at best, on all given threads at one time: peak_bench [THREADS [ISA]] prints
// one JSON line with the sums over the threads in operations per second (0: not there).
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "bench/peak.h"

namespace {

using millrace::bench::Arithmetic;
using millrace::bench::peak_operations;

double on_threads(Arithmetic arithmetic, int threads, const std::string& isa) {
  std::vector<double> each(static_cast<size_t>(threads));
  {
    std::vector<std::jthread> running;
    running.reserve(each.size());
    for (double& one : each) running.emplace_back([&] { one = peak_operations(arithmetic, isa); });
  }
  double sum = 0;
  for (const double one : each) sum += one;
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
  const std::string isa = argc > 2 ? argv[2] : "";
  const nlohmann::ordered_json line = {{"threads", threads},
                                       {"fp32", on_threads(Arithmetic::kFp32, threads, isa)},
                                       {"bf16", on_threads(Arithmetic::kBf16, threads, isa)},
                                       {"int8", on_threads(Arithmetic::kBytes, threads, isa)}};
  std::cout << line.dump() << std::endl;
  return 0;
}
