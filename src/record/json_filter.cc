// Node lists of views, one step after the other; no recursion, as deep as documents may be.
#include "record/json_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "record/json_walk.h"

namespace millrace::record {
namespace {

using Kind = JsonPathSelector::Kind;

std::string_view kind_of(std::string_view value) {
  switch (value.front()) {
    case '{':
      return "an object";
    case '[':
      return "an array";
    case '"':
      return "a string";
    case 't':
    case 'f':
      return "a boolean";
    case 'n':
      return "null";
    default:
      return "a number";
  }
}

bool is_single(const JsonPathSegment& segment) {
  return segment.size() == 1 &&
         (segment.front().kind == Kind::kName || segment.front().kind == Kind::kIndex);
}

bool is_name_list(const JsonPathSegment& segment) {
  return std::all_of(segment.begin(), segment.end(),
                     [](const JsonPathSelector& s) { return s.kind == Kind::kName; });
}

}  // namespace

JsonFilter::JsonFilter(const JsonPath& path)
    : path_(path), strict_(path.mode == JsonPathMode::kSageMaker) {
  const auto plural = std::find_if_not(path.segments.begin(), path.segments.end(), is_single);
  if (plural == path.segments.end()) return;
  shape_ = Shape::kArray;
  if (plural + 1 != path.segments.end() || !is_name_list(*plural)) return;
  shape_ = Shape::kObject;
  for (const JsonPathSelector& selector : *plural) names_.push_back(selector.name);
  std::sort(names_.begin(), names_.end());
  names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
}

Status JsonFilter::select(std::string_view document, std::string* out) {
  if (path_.is_root()) {
    out->append(document);
    return {};
  }
  MR_TRY(find(document, nullptr));
  if (shape_ == Shape::kObject) return append_members(nodes_.empty() ? "{}" : nodes_.front(), out);
  if (shape_ == Shape::kValue) {
    if (nodes_.empty()) return fail(bad_input("selects nothing of the record"));
    out->append(nodes_.front());
    return {};
  }
  char before = '[';
  for (const std::string_view node : nodes_) {
    out->push_back(before);
    out->append(node);
    before = ',';
  }
  out->append(nodes_.empty() ? "[]" : "]");
  return {};
}

// With `nodes`, the last step is taken like all others; without, a last list of names is left.
Status JsonFilter::find(std::string_view document, std::vector<std::string_view>* nodes) {
  const bool leave_last = nodes == nullptr && shape_ == Shape::kObject;
  const size_t steps = path_.segments.size() - (leave_last ? 1 : 0);
  nodes_.assign(1, document);
  for (size_t i = 0; i < steps; ++i) {
    next_.clear();
    for (const std::string_view node : nodes_) MR_TRY(step(node, path_.segments[i]));
    nodes_.swap(next_);
  }
  if (nodes != nullptr) *nodes = nodes_;
  return {};
}

Status JsonFilter::step(std::string_view node, const JsonPathSegment& segment) {
  for (const JsonPathSelector& selector : segment) MR_TRY(step_by(node, selector));
  return {};
}

Status JsonFilter::step_by(std::string_view node, const JsonPathSelector& selector) {
  if (selector.kind == Kind::kName) return step_by_name(node, selector);
  if (selector.kind != Kind::kWildcard) return step_by_position(node, selector);
  if (node.front() == '{') {
    for_each_json_member(node, [&](std::string_view, std::string_view value) {
      next_.push_back(value);
      return true;
    });
  } else if (node.front() == '[') {
    for_each_json_element(node, [&](std::string_view value) {
      next_.push_back(value);
      return true;
    });
  } else {
    return missing(fmt::format("'*' needs an object or an array, here is {}", kind_of(node)));
  }
  return {};
}

Status JsonFilter::step_by_name(std::string_view node, const JsonPathSelector& selector) {
  if (node.front() != '{') {
    return missing(fmt::format("'{}' needs an object, here is {}", selector.name, kind_of(node)));
  }
  const size_t found = next_.size();
  for_each_json_member(node, [&](std::string_view key, std::string_view value) {
    if (!json_key_is(key, selector.name)) return true;
    next_.push_back(value);
    return false;
  });
  if (next_.size() > found) return {};
  return missing(fmt::format("there is no member '{}'", selector.name));
}

Status JsonFilter::step_by_position(std::string_view node, const JsonPathSelector& selector) {
  if (node.front() != '[') {
    return missing(fmt::format("an index or a range needs an array, here is {}", kind_of(node)));
  }
  if (selector.kind == Kind::kIndex && selector.index >= 0) {  // no need to know how many there are
    int64_t before = selector.index;
    const size_t found = next_.size();
    for_each_json_element(node, [&](std::string_view value) {
      if (before-- > 0) return true;
      next_.push_back(value);
      return false;
    });
    if (next_.size() > found) return {};
  }
  elements_.clear();
  positions_.clear();
  for_each_json_element(node, [&](std::string_view value) {
    elements_.push_back(value);
    return true;
  });
  select_positions(selector, elements_.size(), &positions_);
  for (const size_t position : positions_) next_.push_back(elements_[position]);
  if (selector.kind == Kind::kSlice || !positions_.empty()) return {};
  return missing(
      fmt::format("there is no element {}: the array has {}", selector.index, elements_.size()));
}

// The document's keys are sorted, so those that are asked for come sorted.
Status JsonFilter::append_members(std::string_view node, std::string* out) {
  if (node.front() != '{') {
    MR_TRY(missing(fmt::format("names need an object, here is {}", kind_of(node))));
    out->append("{}");
    return {};
  }
  size_t matched = 0;
  out->push_back('{');
  for_each_json_member(node, [&](std::string_view key, std::string_view value) {
    const bool wanted = std::any_of(names_.begin(), names_.end(), [&](const std::string& name) {
      return json_key_is(key, name);
    });
    if (!wanted) return true;
    if (matched++ > 0) out->push_back(',');
    out->append(key.data() - 1, static_cast<size_t>(value.data() + value.size() - key.data() + 1));
    return matched < names_.size();
  });
  out->push_back('}');
  if (matched == names_.size() || !strict_) return {};
  for (const std::string& name : names_) {
    bool there = false;
    for_each_json_member(node, [&](std::string_view key, std::string_view) {
      there = json_key_is(key, name);
      return !there;
    });
    if (!there) return missing(fmt::format("there is no member '{}'", name));
  }
  return {};
}

Status JsonFilter::missing(std::string what) const {
  if (!strict_) return {};
  return fail(bad_input(std::move(what)));
}

}  // namespace millrace::record
