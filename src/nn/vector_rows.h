// What is done to rows beside products (reductions, LayerNorm, softmax) and attention, over a
// vector type V. Reductions have 16 lanes whatever the width of V: element i belongs to lane i mod
// 16, and lanes meet in halves. Lanes that have no element in the last step add nothing.
#pragma once

#include <cstddef>

#include "nn/isa_kernels.h"
#include "nn/vector_linear.h"
#include "nn/vector_math.h"

namespace millrace::nn {

template <class V>
constexpr size_t kLaneVectors = kLanes / V::kWidth;

// Calls step(lane vector, first element, elements there) for all of n elements in order. Where all
// kWidth elements exist the count is a constant, so that the whole-vector path has no masks.
template <class V, class Step>
MR_NN_INLINE void for_lanes(size_t n, Step step) {
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    MR_NN_UNROLL
    for (size_t v = 0; v < kLaneVectors<V>; ++v) step(v, i + v * V::kWidth, V::kWidth);
  }
  MR_NN_UNROLL
  for (size_t v = 0; v < kLaneVectors<V>; ++v) {
    const size_t first = i + v * V::kWidth;
    if (first < n) step(v, first, smaller(V::kWidth, n - first));
  }
}

template <class V>
MR_NN_INLINE typename V::T load_some(const float* p, size_t n) {
  return n == V::kWidth ? V::load(p) : V::load_n(p, n);
}

template <class V>
MR_NN_INLINE void store_some(float* p, typename V::T x, size_t n) {
  if (n == V::kWidth) {
    V::store(p, x);
  } else {
    V::store_n(p, x, n);
  }
}

// The first n entries of x, others 0.
template <class V>
MR_NN_INLINE typename V::T keep_some(typename V::T x, size_t n) {
  return n == V::kWidth ? x : V::select(V::first(n), x, V::set1(0.0F));
}

template <class V>
MR_NN_INLINE void set_lanes(typename V::T (&lanes)[kLaneVectors<V>], float value) {
  for (size_t v = 0; v < kLaneVectors<V>; ++v) lanes[v] = V::set1(value);
}

template <class V>
MR_NN_INLINE void accumulate_max(const float* x, size_t n,
                                 typename V::T (&lanes)[kLaneVectors<V>]) {
  for_lanes<V>(
      n, [&](size_t v, size_t i, size_t count) __attribute__((always_inline)) {
        const typename V::T larger = V::max(lanes[v], load_some<V>(x + i, count));
        lanes[v] = count == V::kWidth ? larger : V::select(V::first(count), larger, lanes[v]);
      });
}

// to[i] = e^((x[i] - max) * scale), added to the lanes.
template <class V>
MR_NN_INLINE void accumulate_exponentials(const float* x, size_t n, typename V::T max, float scale,
                                          float* to, typename V::T (&lanes)[kLaneVectors<V>]) {
  for_lanes<V>(
      n, [&](size_t v, size_t i, size_t count) __attribute__((always_inline)) {
        const typename V::T d = V::sub(load_some<V>(x + i, count), max);
        const typename V::T e = exp_nonpositive<V>(V::mul(d, V::set1(scale)));
        store_some<V>(to + i, e, count);
        lanes[v] = V::add(lanes[v], keep_some<V>(e, count));
      });
}

template <class V>
static void softmax(const float* logits, size_t n, float* out) {
  typename V::T lanes[kLaneVectors<V>];
  set_lanes<V>(lanes, -__builtin_inff());
  accumulate_max<V>(logits, n, lanes);
  const typename V::T max = V::set1(V::max_of(lanes));
  set_lanes<V>(lanes, 0.0F);
  accumulate_exponentials<V>(logits, n, max, 1.0F, out, lanes);
  const typename V::T sum = V::set1(V::sum_of(lanes));
  for_lanes<V>(
      n, [&](size_t, size_t i, size_t count) __attribute__((always_inline)) {
        store_some<V>(out + i, V::div(load_some<V>(out + i, count), sum), count);
      });
}

template <class V>
static void sigmoid_all(const float* logits, size_t n, float* out) {
  for_lanes<V>(
      n, [&](size_t, size_t i, size_t count) __attribute__((always_inline)) {
        store_some<V>(out + i, sigmoid<V>(load_some<V>(logits + i, count)), count);
      });
}

template <class V>
static void activate(float* x, size_t n, Activation activation) {
  for_lanes<V>(
      n, [&](size_t, size_t i, size_t count) __attribute__((always_inline)) {
        store_some<V>(x + i, activate_one<V>(load_some<V>(x + i, count), activation), count);
      });
}

template <class V>
MR_NN_INLINE void layer_norm_row(float* x, const float* residual, const LayerNormArgs& args) {
  using T = typename V::T;
  const float n = static_cast<float>(args.n);
  T lanes[kLaneVectors<V>];
  set_lanes<V>(lanes, 0.0F);
  for_lanes<V>(
      args.n, [&](size_t v, size_t i, size_t count) __attribute__((always_inline)) {
        T y = load_some<V>(x + i, count);
        if (residual != nullptr) {
          y = V::add(y, load_some<V>(residual + i, count));
          store_some<V>(x + i, y, count);
        }
        lanes[v] = V::add(lanes[v], y);
      });
  const T mean = V::set1(V::sum_of(lanes) / n);
  set_lanes<V>(lanes, 0.0F);
  for_lanes<V>(
      args.n, [&](size_t v, size_t i, size_t count) __attribute__((always_inline)) {
        const T d = keep_some<V>(V::sub(load_some<V>(x + i, count), mean), count);
        lanes[v] = V::fma(d, d, lanes[v]);
      });
  const T inverse = V::set1(1.0F / V::square_root(V::sum_of(lanes) / n + args.eps));
  for_lanes<V>(
      args.n, [&](size_t, size_t i, size_t count) __attribute__((always_inline)) {
        const T d = V::mul(V::sub(load_some<V>(x + i, count), mean), inverse);
        const T gamma = load_some<V>(args.gamma + i, count);
        store_some<V>(x + i, V::fma(d, gamma, load_some<V>(args.beta + i, count)), count);
      });
}

template <class V>
static void add_layer_norm(const LayerNormArgs& args) {
  for (size_t r = 0; r < args.m; ++r) {
    const float* residual = args.residual == nullptr ? nullptr : args.residual + r * args.ldr;
    layer_norm_row<V>(args.x + r * args.ldx, residual, args);
  }
}

}  // namespace millrace::nn
