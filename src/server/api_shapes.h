// The shapes of every request that the SageMaker API takes here, as data: members, what they must
// satisfy and what stands for them where they are absent. One table serves the checks, the messages
// and the tests, which compare it with the service model that botocore ships.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace millrace::server {

enum class ShapeKind { kString, kInteger, kLong, kBoolean, kTimestamp, kList, kMap, kStructure };

struct Shape;

struct ShapeMember {
  std::string_view name;
  const Shape* shape;
  bool required = false;
};

struct Shape {
  ShapeKind kind = ShapeKind::kString;
  // Bounds of a string's length, a number's value, or a count of elements; -1: none.
  int64_t min = -1;
  int64_t max = -1;
  // A regular expression as AWS prints it, and the function that decides it.
  std::string_view pattern = {};
  bool (*matches)(std::string_view) = nullptr;
  std::span<const std::string_view> values = {};  // of an enumeration
  const Shape* key = nullptr;                     // of a map
  const Shape* element = nullptr;                 // of a list or a map
  std::span<const ShapeMember> members = {};      // of a structure
};

struct Operation {
  std::string_view name;
  const Shape* input;
};

// Operations under X-Amz-Target "SageMaker.<name>".
std::span<const Operation> sagemaker_operations();
// Operations under X-Amz-Target "Logs_20140328.<name>".
std::span<const Operation> logs_operations();
// nullptr: there is none of that name.
const Shape* find_operation(std::span<const Operation> operations, std::string_view name);

}  // namespace millrace::server
