#include "server/api_validation.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/json_check.h"
#include "base/limits.h"

namespace millrace::server {
namespace {

using nlohmann::json;

// AWS's names for members in messages begin with a small letter.
std::string below(const std::string& path, std::string_view name) {
  std::string out = path.empty() ? "" : path + '.';
  out += name;
  char& first = out[out.size() - name.size()];
  if (first >= 'A' && first <= 'Z') first = static_cast<char>(first - 'A' + 'a');
  return out;
}

// Java's String.length(): UTF-16 units.
int64_t length_of(std::string_view text) {
  int64_t units = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    units += (byte & 0xc0) != 0x80 ? 1 : 0;
    units += byte >= 0xf0 ? 1 : 0;
  }
  return units;
}

std::string shown(const json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.size() > limits::kApiValueShownBytesMax) {
    text.resize(limits::kApiValueShownBytesMax);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) {
      text.pop_back();
    }
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0) text.pop_back();
    text += "...";
  }
  return text;
}

std::string joined(std::span<const std::string_view> values) {
  std::string out = "[";
  for (const std::string_view value : values) {
    if (out.size() > 1) out += ", ";
    out += value;
  }
  return out + "]";
}

std::string_view token_name(const json& value) {
  switch (value.type()) {
    case json::value_t::string:
      return "STRING_VALUE";
    case json::value_t::boolean:
      return value.get<bool>() ? "TRUE_VALUE" : "FALSE_VALUE";
    case json::value_t::number_float:
      return "DECIMAL_VALUE";
    default:
      return "NUMBER_VALUE";
  }
}

std::string_view type_name(ShapeKind kind) {
  switch (kind) {
    case ShapeKind::kInteger:
      return "an Integer";
    case ShapeKind::kLong:
      return "a Long";
    case ShapeKind::kBoolean:
      return "a Boolean";
    case ShapeKind::kTimestamp:
      return "milliseconds since epoch";
    default:
      return "a String";
  }
}

bool is_whole(const json& value, int64_t min, int64_t max) {
  if (value.is_number_unsigned()) return value.get<uint64_t>() <= static_cast<uint64_t>(max);
  if (value.is_number_integer()) {
    const auto number = value.get<int64_t>();
    return number >= min && number <= max;
  }
  if (!value.is_number_float()) return false;
  const double number = value.get<double>();
  return std::trunc(number) == number && number >= static_cast<double>(min) &&
         number < static_cast<double>(max);
}

class Checker {
 public:
  // The value with nulls and unknown members left out. After an error of type, anything.
  json check(const json& value, const Shape& shape, const std::string& path) {
    switch (shape.kind) {
      case ShapeKind::kStructure:
        return check_structure(value, shape, path);
      case ShapeKind::kList:
        return check_list(value, shape, path);
      case ShapeKind::kMap:
        return check_map(value, shape, path);
      default:
        return check_scalar(value, shape, path);
    }
  }

  ApiResult<void> outcome() const {
    if (!type_error_.empty()) return api_fail(400, "SerializationException", type_error_);
    if (violations_.empty()) return {};
    std::string text = fmt::format("{} validation error{} detected: ", violations_.size(),
                                   violations_.size() == 1 ? "" : "s");
    for (const std::string& violation : violations_) {
      if (&violation != &violations_.front()) text += "; ";
      text += violation;
    }
    return validation_fail(std::move(text));
  }

 private:
  void wrong_type(std::string what, const std::string& path) {
    if (!type_error_.empty()) return;
    type_error_ = std::move(what);
    if (!path.empty()) type_error_ += " (at '" + path + "')";
  }

  void violation(const std::string& value, const std::string& path, std::string_view must) {
    if (violations_.size() >= limits::kApiViolationsMax) return;
    violations_.push_back(
        fmt::format("Value {} at '{}' failed to satisfy constraint: {}", value, path, must));
  }

  json check_structure(const json& value, const Shape& shape, const std::string& path) {
    json out = json::object();
    if (!value.is_object()) {
      wrong_type(value.is_array() ? "Start of list found where not expected"
                                  : "Unexpected token where a structure was expected",
                 path);
      return out;
    }
    for (const ShapeMember& member : shape.members) {
      const std::string at = below(path, member.name);
      const auto found = value.find(member.name);
      if (found != value.end() && !found->is_null()) {
        out[std::string(member.name)] = check(*found, *member.shape, at);
      } else if (member.required) {
        violation("null", at, "Member must not be null");
      }
    }
    return out;
  }

  // "" or what a count must be.
  void check_bounds(int64_t count, const Shape& shape, std::string_view what,
                    const std::string& value, const std::string& path) {
    for (const std::string& must : broken_bounds(count, shape, what)) violation(value, path, must);
  }

  static std::vector<std::string> broken_bounds(int64_t count, const Shape& shape,
                                                std::string_view what) {
    std::vector<std::string> broken;
    if (shape.max >= 0 && count > shape.max) {
      broken.push_back(
          fmt::format("Member must have {} less than or equal to {}", what, shape.max));
    }
    if (shape.min >= 0 && count < shape.min) {
      broken.push_back(
          fmt::format("Member must have {} greater than or equal to {}", what, shape.min));
    }
    return broken;
  }

  json check_list(const json& value, const Shape& shape, const std::string& path) {
    json out = json::array();
    if (!value.is_array()) {
      wrong_type(value.is_object() ? "Start of structure or map found where not expected."
                                   : "Unexpected token where a list was expected",
                 path);
      return out;
    }
    check_bounds(static_cast<int64_t>(value.size()), shape, "length", '\'' + shown(value) + '\'',
                 path);
    int64_t number = 0;
    for (const json& element : value) {
      const std::string at = path + '.' + std::to_string(++number) + ".member";
      if (element.is_null()) {
        violation("null", at, "Member must not be null");
      } else {
        out.push_back(check(element, *shape.element, at));
      }
    }
    return out;
  }

  json check_map(const json& value, const Shape& shape, const std::string& path) {
    json out = json::object();
    if (!value.is_object()) {
      wrong_type(value.is_array() ? "Start of list found where not expected"
                                  : "Unexpected token where a map was expected",
                 path);
      return out;
    }
    check_bounds(static_cast<int64_t>(value.size()), shape, "length", '\'' + shown(value) + '\'',
                 path);
    bool keys_good = true;
    bool values_good = true;
    for (const auto& [key, item] : value.items()) {
      if (item.is_null()) continue;
      if (!item.is_string()) {
        wrong_type(is_composite(item)
                       ? composite_text(item)
                       : fmt::format("{} can not be converted to a String", token_name(item)),
                   path);
        continue;
      }
      keys_good = keys_good && text_faults(key, *shape.key).empty();
      values_good =
          values_good && text_faults(item.get_ref<const std::string&>(), *shape.element).empty();
      out[key] = item;
    }
    const std::string all = '\'' + shown(value) + '\'';
    if (!keys_good) {
      violation(all, path, "Map keys must satisfy constraint: " + constraints(*shape.key));
    }
    if (!values_good) {
      violation(all, path, "Map value must satisfy constraint: " + constraints(*shape.element));
    }
    return out;
  }

  static bool is_composite(const json& value) { return value.is_object() || value.is_array(); }
  static std::string composite_text(const json& value) {
    return value.is_array() ? "Start of list found where not expected"
                            : "Start of structure or map found where not expected.";
  }

  static std::vector<std::string> text_faults(const std::string& text, const Shape& shape) {
    std::vector<std::string> faults = broken_bounds(length_of(text), shape, "length");
    if (shape.matches != nullptr && !shape.matches(text)) {
      faults.push_back(
          fmt::format("Member must satisfy regular expression pattern: {}", shape.pattern));
    }
    if (!shape.values.empty() &&
        std::find(shape.values.begin(), shape.values.end(), text) == shape.values.end()) {
      faults.push_back("Member must satisfy enum value set: " + joined(shape.values));
    }
    return faults;
  }

  // Everything that a map's keys or values must be.
  static std::string constraints(const Shape& shape) {
    return fmt::format(
        "[Member must have length less than or equal to {}, Member must have length greater than "
        "or equal to {}, Member must satisfy regular expression pattern: {}]",
        shape.max, shape.min, shape.pattern);
  }

  json check_scalar(const json& value, const Shape& shape, const std::string& path) {
    if (is_composite(value)) {
      wrong_type(composite_text(value), path);
      return {};
    }
    if (!fits(value, shape.kind)) {
      wrong_type(
          fmt::format("{} can not be converted to {}", token_name(value), type_name(shape.kind)),
          path);
      return {};
    }
    const std::string quoted = '\'' + shown(value) + '\'';
    if (shape.kind == ShapeKind::kString) {
      for (const std::string& must : text_faults(value.get_ref<const std::string&>(), shape)) {
        violation(quoted, path, must);
      }
    } else if (shape.kind == ShapeKind::kInteger || shape.kind == ShapeKind::kLong) {
      const auto number = value.get<int64_t>();
      check_bounds(number, shape, "value", quoted, path);
      return number;
    }
    return value;
  }

  static bool fits(const json& value, ShapeKind kind) {
    switch (kind) {
      case ShapeKind::kInteger:
        return is_whole(value, std::numeric_limits<int32_t>::min(),
                        std::numeric_limits<int32_t>::max());
      case ShapeKind::kLong:
        return is_whole(value, std::numeric_limits<int64_t>::min(),
                        std::numeric_limits<int64_t>::max());
      case ShapeKind::kBoolean:
        return value.is_boolean();
      case ShapeKind::kTimestamp:
        return value.is_number();
      default:
        return value.is_string();
    }
  }

  std::string type_error_;
  std::vector<std::string> violations_;
};

}  // namespace

ApiResult<json> parse_request(std::string_view body) {
  if (body.empty()) return json::object();
  if (const auto fault = find_json_fault(body, limits::kApiJsonDepthMax)) {
    return api_fail(400, "SerializationException", json_fault_error(*fault).message);
  }
  json value = json::parse(body, nullptr, false);
  if (!value.is_object()) {
    return api_fail(400, "SerializationException", "expected a JSON object");
  }
  return value;
}

ApiResult<json> check_request(const json& request, const Shape& shape) {
  Checker checker;
  json clean = checker.check(request, shape, "");
  if (auto outcome = checker.outcome(); !outcome) return tl::unexpected(outcome.error());
  return clean;
}

}  // namespace millrace::server
