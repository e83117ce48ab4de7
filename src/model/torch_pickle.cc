// A stack machine over values that lie in one arena and refer to each other by index: deep nesting
// and cycles then cost neither stack nor leaks. Every opcode makes at most one value, and what a
// value repeats of others (a storage's name, a shape) is small, so memory is bounded by the
// pickle's size.
#include "model/torch_pickle.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "base/limits.h"

namespace millrace::model {
namespace {

using Index = uint32_t;

enum class Kind { kNone, kNumber, kText, kList, kDict, kGlobal, kStorage, kTensor, kOther };

struct Value {
  Kind kind = Kind::kNone;
  int64_t number = 0;
  std::string text = {};          // also a global's "module name"
  std::vector<Index> items = {};  // of a tuple or list; of a dictionary key, value, key, value
  PickledTensor tensor = {};      // also a storage, without a shape
};

struct StorageType {
  std::string_view name;
  std::string_view dtype;
};
constexpr std::array<StorageType, 10> kStorages = {{{"torch FloatStorage", "F32"},
                                                    {"torch HalfStorage", "F16"},
                                                    {"torch BFloat16Storage", "BF16"},
                                                    {"torch DoubleStorage", "F64"},
                                                    {"torch LongStorage", "I64"},
                                                    {"torch IntStorage", "I32"},
                                                    {"torch ShortStorage", "I16"},
                                                    {"torch CharStorage", "I8"},
                                                    {"torch ByteStorage", "U8"},
                                                    {"torch BoolStorage", "BOOL"}}};
constexpr std::string_view kOrderedDict = "collections OrderedDict";
constexpr std::string_view kRebuildTensor = "torch._utils _rebuild_tensor_v2";
constexpr std::string_view kRebuildParameter = "torch._utils _rebuild_parameter";

std::string_view dtype_of_storage(std::string_view global) {
  for (const StorageType& type : kStorages) {
    if (type.name == global) return type.dtype;
  }
  return {};
}

bool is_known_global(std::string_view name) {
  return name == kOrderedDict || name == kRebuildTensor || name == kRebuildParameter ||
         !dtype_of_storage(name).empty();
}

tl::unexpected<Error> damaged(std::string_view why) {
  return fail(invalid_argument(fmt::format("its pickle is damaged: {}", why)));
}

class Machine {
 public:
  explicit Machine(std::string_view pickle) : in_(pickle) {}

  Status run() {
    while (!stopped_) {
      MR_ASSIGN(const std::string_view opcode, bytes(1));
      MR_TRY(step(static_cast<unsigned char>(opcode[0])));
    }
    return {};
  }

  // REQUIRES: run() succeeded.
  Result<std::map<std::string, PickledTensor>> take() {
    if (stack_.size() != 1 || at(stack_[0]).kind != Kind::kDict) {
      return fail(invalid_argument("it holds no dictionary of tensors"));
    }
    std::map<std::string, PickledTensor> out;
    const std::vector<Index>& items = at(stack_[0]).items;
    for (size_t i = 0; i + 1 < items.size(); i += 2) {
      const Value& key = at(items[i]);
      const Value& value = at(items[i + 1]);
      if (key.kind == Kind::kText && value.kind == Kind::kTensor) out[key.text] = value.tensor;
    }
    return out;
  }

 private:
  const Value& at(Index index) const { return values_[index]; }

  Result<std::string_view> bytes(uint64_t count) {
    if (count > in_.size() - position_) return damaged("it ends early");
    const std::string_view out = in_.substr(position_, count);
    position_ += count;
    return out;
  }

  Result<uint64_t> number(size_t size) {
    MR_ASSIGN(const std::string_view text, bytes(size));
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      value |= static_cast<uint64_t>(static_cast<unsigned char>(text[i])) << (8 * i);
    }
    return value;
  }

  Result<std::string_view> line() {
    const size_t end = in_.find('\n', position_);
    if (end == std::string_view::npos) return damaged("a line without an end");
    const std::string_view out = in_.substr(position_, end - position_);
    position_ = end + 1;
    return out;
  }

  Status push(Value value) {
    stack_.push_back(static_cast<Index>(values_.size()));
    values_.push_back(std::move(value));
    return {};
  }
  Status push_number(int64_t value) { return push({.kind = Kind::kNumber, .number = value}); }
  Status push_text(uint64_t size) {
    MR_ASSIGN(const std::string_view text, bytes(size));
    return push({.kind = Kind::kText, .text = std::string(text)});
  }

  // The topmost `count` values, taken off.
  Result<std::vector<Index>> pop(size_t count) {
    const size_t floor = marks_.empty() ? 0 : marks_.back();
    if (count > stack_.size() - floor) return damaged("too few values");
    std::vector<Index> out(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return out;
  }
  Result<std::vector<Index>> pop_to_mark() {
    if (marks_.empty()) return damaged("no mark");
    const size_t count = stack_.size() - marks_.back();
    auto out = pop(count);
    marks_.pop_back();
    return out;
  }
  Result<Index> top() const {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) return damaged("too few values");
    return stack_.back();
  }

  Status push_list(Result<std::vector<Index>> items) {
    if (!items) return fail(std::move(items).error());
    return push({.kind = Kind::kList, .items = std::move(*items)});
  }

  // Adds to the list or dictionary below what was taken.
  Status add(Kind kind, Result<std::vector<Index>> items) {
    if (!items) return fail(std::move(items).error());
    MR_ASSIGN(const Index to, top());
    if (at(to).kind != kind) return damaged("values are added to something that takes none");
    if (kind == Kind::kDict && items->size() % 2 != 0) return damaged("a key without a value");
    auto& all = values_[to].items;
    all.insert(all.end(), items->begin(), items->end());
    return {};
  }

  Status put(uint64_t key) {
    MR_ASSIGN(const Index index, top());
    memo_[key] = index;
    return {};
  }
  Status get(uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) return damaged("a value that was never kept");
    stack_.push_back(found->second);
    return {};
  }

  Status push_global() {
    MR_ASSIGN(const std::string_view module, line());
    MR_ASSIGN(const std::string_view name, line());
    std::string global = fmt::format("{} {}", module, name);
    if (!is_known_global(global)) {
      return fail(invalid_argument(fmt::format(
          "its pickle asks for {}.{}, which no dictionary of tensors needs; nothing was run",
          module, name)));
    }
    return push({.kind = Kind::kGlobal, .text = std::move(global)});
  }

  // ('storage', torch.FloatStorage, '0', 'cpu', 1024)
  Status push_storage() {
    MR_ASSIGN(const auto taken, pop(1));
    const Value& id = at(taken[0]);
    if (id.kind != Kind::kList || id.items.size() < 5) return damaged("a storage without its five");
    const Value& word = at(id.items[0]);
    const Value& type = at(id.items[1]);
    const Value& key = at(id.items[2]);
    const Value& count = at(id.items[4]);
    const std::string_view dtype = dtype_of_storage(type.text);
    if (word.text != "storage" || type.kind != Kind::kGlobal || dtype.empty() ||
        key.kind != Kind::kText || count.kind != Kind::kNumber || count.number < 0) {
      return damaged("a storage that is none");
    }
    if (key.text.size() > limits::kTorchStorageNameBytesMax) {
      return damaged("a storage with an oversized name");
    }
    Value storage{.kind = Kind::kStorage};
    storage.tensor.storage = key.text;
    storage.tensor.dtype = dtype;
    storage.tensor.storage_elements = static_cast<uint64_t>(count.number);
    return push(std::move(storage));
  }

  std::optional<std::vector<uint64_t>> sizes(Index index) const {
    if (at(index).kind != Kind::kList) return std::nullopt;
    if (at(index).items.size() > limits::kTorchDimensionsMax) return std::nullopt;
    std::vector<uint64_t> out;
    for (const Index item : at(index).items) {
      if (at(item).kind != Kind::kNumber || at(item).number < 0) return std::nullopt;
      out.push_back(static_cast<uint64_t>(at(item).number));
    }
    return out;
  }

  // _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, ...)
  Status push_tensor(const std::vector<Index>& arguments) {
    if (arguments.size() < 4 || at(arguments[0]).kind != Kind::kStorage ||
        at(arguments[1]).kind != Kind::kNumber || at(arguments[1]).number < 0) {
      return damaged("a tensor without a storage");
    }
    const auto shape = sizes(arguments[2]);
    const auto strides = sizes(arguments[3]);
    if (!shape || !strides || shape->size() != strides->size()) {
      return damaged("a tensor without a shape");
    }
    Value value{.kind = Kind::kTensor, .tensor = at(arguments[0]).tensor};
    value.tensor.offset = static_cast<uint64_t>(at(arguments[1]).number);
    value.tensor.shape = *shape;
    value.tensor.strides = *strides;
    return push(std::move(value));
  }

  // What the three functions would answer, and no other.
  Status reduce() {
    MR_ASSIGN(const auto taken, pop(2));
    const Value& function = at(taken[0]);
    if (function.kind != Kind::kGlobal || at(taken[1]).kind != Kind::kList) {
      return damaged("a call of something that is no function");
    }
    if (at(taken[1]).items.size() > limits::kTorchArgumentsMax) {
      return damaged("a call with too many arguments");
    }
    const std::vector<Index> arguments = at(taken[1]).items;
    if (function.text == kOrderedDict) return push({.kind = Kind::kDict});
    if (function.text == kRebuildTensor) return push_tensor(arguments);
    if (function.text == kRebuildParameter && !arguments.empty() &&
        at(arguments[0]).kind == Kind::kTensor) {
      stack_.push_back(arguments[0]);
      return {};
    }
    return damaged("a call that makes no tensor");
  }

  Status step(unsigned char opcode) {
    switch (opcode) {
      case 0x80:  // PROTO
        return bytes(1).map([](auto) {});
      case '.':  // STOP
        stopped_ = true;
        return {};
      case '(':  // MARK
        marks_.push_back(stack_.size());
        return {};
      case '}':  // EMPTY_DICT
        return push({.kind = Kind::kDict});
      case ']':  // EMPTY_LIST
      case ')':  // EMPTY_TUPLE
        return push({.kind = Kind::kList});
      case 't':  // TUPLE
        return push_list(pop_to_mark());
      case 0x85:  // TUPLE1
      case 0x86:  // TUPLE2
      case 0x87:  // TUPLE3
        return push_list(pop(opcode - 0x84U));
      case 'a':  // APPEND
        return add(Kind::kList, pop(1));
      case 'e':  // APPENDS
        return add(Kind::kList, pop_to_mark());
      case 's':  // SETITEM
        return add(Kind::kDict, pop(2));
      case 'u':  // SETITEMS
        return add(Kind::kDict, pop_to_mark());
      case 'b':  // BUILD: attributes of an OrderedDict, versions of its modules
        return pop(1).map([](auto) {});
      case '0':  // POP
        return pop(1).map([](auto) {});
      case 'c':  // GLOBAL
        return push_global();
      case 'Q':  // BINPERSID
        return push_storage();
      case 'R':  // REDUCE
        return reduce();
      default:
        return step_on_value(opcode);
    }
  }

  Status step_on_value(unsigned char opcode) {
    switch (opcode) {
      case 'N':  // NONE
        return push({});
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        return push_number(opcode == 0x88 ? 1 : 0);
      case 'K':  // BININT1
      case 'M':  // BININT2
      case 'J':  // BININT
        return number(opcode == 'K'   ? 1
                      : opcode == 'M' ? 2
                                      : 4)
            .and_then([&](uint64_t value) {
              return push_number(opcode == 'J' ? static_cast<int32_t>(value)
                                               : static_cast<int64_t>(value));
            });
      case 0x8a:  // LONG1
        return push_long();
      case 'G':  // BINFLOAT
        return bytes(8).and_then([&](auto) { return push({.kind = Kind::kOther}); });
      case 'X':  // BINUNICODE
      case 'T':  // BINSTRING
        return number(4).and_then([&](uint64_t size) { return push_text(size); });
      case 0x8c:  // SHORT_BINUNICODE
      case 'U':   // SHORT_BINSTRING
        return number(1).and_then([&](uint64_t size) { return push_text(size); });
      case 'q':  // BINPUT
      case 'r':  // LONG_BINPUT
        return number(opcode == 'q' ? 1 : 4).and_then([&](uint64_t key) { return put(key); });
      case 'h':  // BINGET
      case 'j':  // LONG_BINGET
        return number(opcode == 'h' ? 1 : 4).and_then([&](uint64_t key) { return get(key); });
      default:
        return fail(invalid_argument(fmt::format(
            "its pickle has the opcode 0x{:02x} at byte {}, which no dictionary of tensors needs; "
            "nothing was run",
            opcode, position_ - 1)));
    }
  }

  Status push_long() {
    MR_ASSIGN(const uint64_t size, number(1));
    if (size > 8) return damaged("a number of more than 64 bits");
    MR_ASSIGN(uint64_t value, number(size));
    const bool negative = size > 0 && size < 8 && ((value >> (8 * size - 1)) & 1) != 0;
    if (negative) value |= ~uint64_t{0} << (8 * size);
    return push_number(static_cast<int64_t>(value));
  }

  const std::string_view in_;
  size_t position_ = 0;
  bool stopped_ = false;
  std::vector<Value> values_;
  std::vector<Index> stack_;
  std::vector<size_t> marks_;
  std::map<uint64_t, Index> memo_;
};

}  // namespace

Result<std::map<std::string, PickledTensor>> read_tensor_pickle(std::string_view pickle) {
  Machine machine(pickle);
  MR_TRY(machine.run());
  return machine.take();
}

}  // namespace millrace::model
