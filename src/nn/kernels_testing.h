// For the tests of this room: the kernels to compare with the reference, numbers that are the same
// in every run, buffers that start off every alignment, and comparison of bits.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "nn/kernels.h"

namespace millrace::nn {

inline const Kernels& reference() {
  return *find_kernels("reference");
}

#ifdef MILLRACE_EMULATED_KERNELS
// The kernels of wider instruction sets with their intrinsics emulated (tests/emulated).
std::vector<const Kernels*> fast_kernels();
#else
// Every instruction set of this CPU but the reference.
inline std::vector<const Kernels*> fast_kernels() {
  std::vector<const Kernels*> list;
  for (const std::string& name : kernel_names()) {
    if (name != "reference") list.push_back(find_kernels(name));
  }
  return list;
}
#endif

inline std::vector<const Kernels*> all_kernels() {
  std::vector<const Kernels*> list = fast_kernels();
  list.push_back(&reference());
  return list;
}

inline bool long_tests() {
  static const bool set = [] {
    const char* value = std::getenv("MILLRACE_TEST_LONG");
    return value != nullptr && std::string_view(value) == "1";
  }();
  return set;
}

// Floats at an address that is 4 * `shift` bytes off a 64-byte boundary. What lies around the
// values is NaN, so that a kernel that reads beyond them gives itself away.
class Floats {
 public:
  explicit Floats(size_t n, size_t shift = 0) : n_(n), storage_(n + 48, std::nanf("")) {
    const auto address = reinterpret_cast<uintptr_t>(storage_.data());
    offset_ = (64 - address % 64) % 64 / sizeof(float) + shift;
  }
  float* data() { return storage_.data() + offset_; }
  const float* data() const { return storage_.data() + offset_; }
  size_t size() const { return n_; }
  float& operator[](size_t i) { return data()[i]; }

  Floats& randomise(uint32_t seed, float scale = 1.0F) {
    std::mt19937 generator(seed);
    for (size_t i = 0; i < n_; ++i) {
      // From the integer by our own arithmetic: the library's distributions differ by platform.
      data()[i] = (static_cast<float>(generator() >> 8) * 0x1p-23F - 1.0F) * scale;
    }
    return *this;
  }
  // Nothing outside the values was written.
  bool surroundings_untouched() const {
    for (size_t i = 0; i < storage_.size(); ++i) {
      if ((i < offset_ || i >= offset_ + n_) && storage_[i] == storage_[i]) return false;
    }
    return true;
  }

 private:
  size_t n_;
  std::vector<float> storage_;
  size_t offset_ = 0;
};

// Empty, or where two rows of floats first differ.
inline std::string difference(const float* got, const float* want, size_t n) {
  if (std::memcmp(got, want, n * sizeof(float)) == 0) return {};
  size_t i = 0;
  while (std::bit_cast<uint32_t>(got[i]) == std::bit_cast<uint32_t>(want[i])) ++i;
  return "entry " + std::to_string(i) + ": " + std::to_string(got[i]) + " instead of " +
         std::to_string(want[i]);
}

inline PackedMatrix random_matrix(size_t k, size_t n, uint32_t seed) {
  Floats weight(k * n);
  weight.randomise(seed);
  PackedMatrix matrix(k, n);
  matrix.fill_from_linear(weight.data(), 0, n);
  return matrix;
}

}  // namespace millrace::nn
