// The kernels of nn/ alone, on one core, for every instruction set of this CPU: GFLOP/s of linear
// in fp32 and int8 at the shapes of DistilBERT-base and of MiniLM, attention, LayerNorm,
// quantisation and GELU.
// The counter "of_peak" is the share of the multiply-adds that this core did per second in a loop
// of nothing else.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/peak.h"
#include "nn/kernels.h"

namespace millrace::nn {
namespace {

// Seconds of this thread, so that time lost to other processes does not count.
double thread_seconds() {
  timespec t = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// Operations per second at best; 0 where nothing is measured.
double peak(const std::string& isa, bench::Arithmetic arithmetic) {
  if (isa.starts_with("avx512")) return bench::peak_operations(arithmetic, "avx512");
  if (isa.starts_with("avx2")) return bench::peak_operations(arithmetic, "avx2");
  return 0;
}

struct Isa {
  const Kernels* kernels;
  double peak;
  double byte_peak;
};

std::vector<float> numbers(size_t n) {
  std::vector<float> v(n);
  uint32_t state = 1;
  for (float& x : v) {
    state = state * 1664525U + 1013904223U;
    x = static_cast<float>(state >> 8) * 0x1p-23F - 1.0F;
  }
  return v;
}

void report(benchmark::State& state, double peak, double operations, double seconds_best) {
  state.counters["GFLOP/s"] = operations / seconds_best * 1e-9;
  if (peak > 0) state.counters["of_peak"] = operations / seconds_best / peak;
}

// Runs `step` until the library has enough; the fastest run stands for the kernel, the mean time
// that the library prints includes what others did to the caches.
template <class Step>
double fastest(benchmark::State& state, Step step) {
  double best = 1e9;
  for (auto unused : state) {
    (void)unused;
    const double begin = thread_seconds();
    step();
    best = std::min(best, thread_seconds() - begin);
  }
  return best;
}

void run_linear(benchmark::State& state, const Isa& isa, size_t k, size_t n,
                Activation activation) {
  const auto m = static_cast<size_t>(state.range(0));
  const std::vector<float> weight = numbers(n * k);
  PackedMatrix b(k, n);
  b.fill_from_linear(weight.data(), 0, n);
  const std::vector<float> a = numbers(m * k);
  const std::vector<float> bias = numbers(n);
  std::vector<float> out(m * n);
  const double best = fastest(state, [&] {
    isa.kernels->linear(a.data(), k, m, b, bias.data(), activation, out.data(), n);
  });
  report(state, isa.peak, 2.0 * static_cast<double>(m * k * n), best);
}

// Six matrices in turn, so that weights come from where those of a model do.
void run_linear_int8(benchmark::State& state, const Isa& isa, size_t k, size_t n,
                     Activation activation) {
  constexpr size_t kMatrices = 6;
  const auto m = static_cast<size_t>(state.range(0));
  const std::vector<float> weight = numbers(n * k);
  std::vector<QuantizedMatrix> b;
  for (size_t i = 0; i < kMatrices; ++i) {
    b.emplace_back(k, n);
    b.back().fill_from_linear(weight.data(), 0, n);
  }
  const std::vector<float> a = numbers(m * k);
  const std::vector<float> bias = numbers(n);
  std::vector<float> out(m * n);
  std::vector<uint8_t> bytes(m * QuantizedRows::row_stride(k));
  std::vector<float> scale(m);
  std::vector<int> zero(m);
  const QuantizedRows rows = {bytes.data(), scale.data(), zero.data()};
  isa.kernels->quantize(a.data(), k, m, k, rows);
  size_t next = 0;
  const double best = fastest(state, [&] {
    isa.kernels->linear_int8(rows, m, b[next++ % kMatrices], bias.data(), activation, out.data(),
                             n);
  });
  report(state, isa.byte_peak, 2.0 * static_cast<double>(m * k * n), best);
}

void run_attention(benchmark::State& state, const Isa& isa, size_t heads, size_t d) {
  const auto length = static_cast<size_t>(state.range(0));
  const size_t width = heads * d;
  const std::vector<float> qkv = numbers(3 * length * width);
  std::vector<float> out(length * width);
  std::vector<float> scratch(attention_scratch(length, d) + 16);
  const size_t shift = reinterpret_cast<uintptr_t>(scratch.data()) % 64 / sizeof(float);
  const double best = fastest(state, [&] {
    isa.kernels->attention(qkv.data(), qkv.data() + length * width, qkv.data() + 2 * length * width,
                           width, length, length, heads, d, 0.125F,
                           scratch.data() + (16 - shift) % 16, out.data(), width);
  });
  report(state, isa.peak, 4.0 * static_cast<double>(length * length * width), best);
}

void run_layer_norm(benchmark::State& state, const Isa& isa) {
  constexpr size_t kRows = 128;
  const auto n = static_cast<size_t>(state.range(0));
  std::vector<float> x = numbers(kRows * n);
  const std::vector<float> residual = numbers(kRows * n);
  const double best = fastest(state, [&] {
    isa.kernels->add_layer_norm(x.data(), n, residual.data(), n, kRows, n, residual.data(),
                                residual.data(), 1e-12F);
  });
  state.counters["ns/row"] = best / kRows * 1e9;
}

void run_quantize(benchmark::State& state, const Isa& isa) {
  constexpr size_t kRows = 128;
  const auto n = static_cast<size_t>(state.range(0));
  const std::vector<float> x = numbers(kRows * n);
  std::vector<uint8_t> bytes(kRows * QuantizedRows::row_stride(n));
  std::vector<float> scale(kRows);
  std::vector<int> zero(kRows);
  const double best = fastest(state, [&] {
    isa.kernels->quantize(x.data(), n, kRows, n, {bytes.data(), scale.data(), zero.data()});
  });
  state.counters["ns/row"] = best / kRows * 1e9;
}

void run_gelu(benchmark::State& state, const Isa& isa) {
  std::vector<float> x = numbers(4096);
  const double best =
      fastest(state, [&] { isa.kernels->activate(x.data(), x.size(), Activation::kGelu); });
  state.counters["ns/value"] = best / 4096 * 1e9;
}

void add_all(const std::string& name) {
  const Isa isa = {find_kernels(name), peak(name, bench::Arithmetic::kFp32),
                   peak(name, bench::Arithmetic::kBytes)};
  std::printf("%s: peak %.1f GFLOP/s, %.1f GOP/s in bytes\n", name.c_str(), isa.peak * 1e-9,
              isa.byte_peak * 1e-9);
  struct Shape {
    size_t k;
    size_t n;
    Activation activation;
  };
  for (const Shape& s : {Shape{768, 768, Activation::kNone}, Shape{768, 3072, Activation::kGelu},
                         Shape{3072, 768, Activation::kNone}, Shape{384, 384, Activation::kNone},
                         Shape{384, 1536, Activation::kGelu}}) {
    const std::string shape = std::to_string(s.k) + "x" + std::to_string(s.n);
    auto* linear = benchmark::RegisterBenchmark(
        (name + "/linear/" + shape).c_str(),
        [isa, s](benchmark::State& state) { run_linear(state, isa, s.k, s.n, s.activation); });
    for (const int m : {1, 8, 32, 64, 128, 256, 512}) linear->Arg(m);
    auto* linear_int8 = benchmark::RegisterBenchmark(
        (name + "/linear_int8/" + shape).c_str(),
        [isa, s](benchmark::State& state) { run_linear_int8(state, isa, s.k, s.n, s.activation); });
    for (const int m : {32, 128, 512}) linear_int8->Arg(m);
  }
  auto* attention = benchmark::RegisterBenchmark(
      (name + "/attention/12x64").c_str(),
      [isa](benchmark::State& state) { run_attention(state, isa, 12, 64); });
  for (const int length : {8, 25, 128, 512}) attention->Arg(length);
  benchmark::RegisterBenchmark((name + "/layer_norm").c_str(),
                               [isa](benchmark::State& state) { run_layer_norm(state, isa); })
      ->Arg(384)
      ->Arg(768);
  benchmark::RegisterBenchmark((name + "/quantize").c_str(),
                               [isa](benchmark::State& state) { run_quantize(state, isa); })
      ->Arg(768)
      ->Arg(3072);
  benchmark::RegisterBenchmark((name + "/gelu").c_str(),
                               [isa](benchmark::State& state) { run_gelu(state, isa); });
}

}  // namespace
}  // namespace millrace::nn

int main(int argc, char** argv) {
  for (const std::string& name : millrace::nn::kernel_names()) {
    if (name != "reference") millrace::nn::add_all(name);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
