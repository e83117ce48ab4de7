// What needs no Arrow.
#include "columnar/parquet_writer.h"

namespace millrace::columnar {
namespace {

class NoTexts final : public store::ObjectReader {
 public:
  Result<size_t> read(std::span<char>) override { return size_t{0}; }
};

}  // namespace

std::unique_ptr<store::ObjectReader> no_texts() {
  return std::make_unique<NoTexts>();
}

std::vector<std::string> added_columns(const ResultColumns& results) {
  std::vector<std::string> names;
  if (results.shape == ResultColumns::Shape::kText) {
    names = {"SageMakerOutput"};
  } else if (results.shape == ResultColumns::Shape::kVector) {
    names = {"embedding"};
  } else {
    names = results.fields;
  }
  if (!results.source_column.empty()) names.push_back(results.source_column);
  return names;
}

}  // namespace millrace::columnar
