// How the tables of shapes are written: one function for each kind, evaluated by the compiler.
#pragma once

#include "server/api_shapes.h"

namespace millrace::server {

constexpr Shape text(int64_t min, int64_t max, std::string_view pattern = {},
                     bool (*matches)(std::string_view) = nullptr) {
  Shape shape;
  shape.min = min;
  shape.max = max;
  shape.pattern = pattern;
  shape.matches = matches;
  return shape;
}

constexpr Shape one_of(std::span<const std::string_view> values) {
  Shape shape;
  shape.values = values;
  return shape;
}

constexpr Shape number(ShapeKind kind, int64_t min = -1, int64_t max = -1) {
  Shape shape;
  shape.kind = kind;
  shape.min = min;
  shape.max = max;
  return shape;
}

constexpr Shape list_of(const Shape& element, int64_t min, int64_t max) {
  Shape shape = number(ShapeKind::kList, min, max);
  shape.element = &element;
  return shape;
}

constexpr Shape map_of(const Shape& key, const Shape& value, int64_t max) {
  Shape shape = number(ShapeKind::kMap, 0, max);
  shape.key = &key;
  shape.element = &value;
  return shape;
}

constexpr Shape structure(std::span<const ShapeMember> members) {
  Shape shape;
  shape.kind = ShapeKind::kStructure;
  shape.members = members;
  return shape;
}

}  // namespace millrace::server
