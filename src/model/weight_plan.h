// Which tensor of a checkpoint goes where in the weights: the names that each architecture gives to
// the parts of the encoder, with their shapes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/weights.h"

namespace millrace::model {

// One tensor that the architecture has. Exactly one destination is set, or none for the word
// embeddings, which stay where they are.
struct Slot {
  std::string name;
  std::vector<uint64_t> shape;
  nn::PackedMatrix* matrix = nullptr;
  nn::QuantizedMatrix* bytes = nullptr;
  nn::Bf16Matrix* halves = nullptr;
  std::vector<float>* vector = nullptr;  // also tables, row by row
  const Tensor* tensor = nullptr;        // where the checkpoint has it
};

// Every tensor of `weights->config`'s architecture; sizes `weights->layers`.
std::vector<Slot> plan_weights(Weights* weights);

// The same plan with each slot's tensor found, of the right shape and a type that can be read.
// invalid_argument names a tensor that is missing, misshapen, of another type or not expected.
Status find_tensors(const TensorMap& tensors, std::vector<Slot>* plan);

}  // namespace millrace::model
