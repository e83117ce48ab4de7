// How the bf16 products of this CPU round.
#pragma once

#include <string>

#include "nn/kernels.h"

namespace millrace::nn {

// 16 hex digits that are the same where products of bf16 have the same bits, and in all likelihood
// only there: the results of a product of fixed numbers whose bits change with the order of sums,
// with what is rounded between, and with what is done to denormal numbers. Makers of CPUs differ.
// REQUIRES: kernels.linear_bf16 is not null.
std::string bf16_rounding(const Kernels& kernels);

}  // namespace millrace::nn
