// The compressor says what is ready; it is passed on at once.
#include "transform/compressed_writer.h"

#include <string>
#include <utility>

namespace millrace::transform {
namespace {

class CompressedWriter final : public store::ObjectWriter {
 public:
  CompressedWriter(std::unique_ptr<store::ObjectWriter> out,
                   std::unique_ptr<record::Compressor> compressor)
      : out_(std::move(out)), compressor_(std::move(compressor)) {}

  Status append(std::string_view bytes) override {
    MR_TRY(compressor_->add(bytes, &ready_));
    return pass_on();
  }

  Status commit() override {
    MR_TRY(compressor_->finish(&ready_));
    MR_TRY(pass_on());
    return out_->commit();
  }
  std::optional<store::ObjectInfo> committed() const override { return out_->committed(); }

 private:
  Status pass_on() {
    if (ready_.empty()) return {};
    Status status = out_->append(ready_);
    ready_.clear();
    return status;
  }

  const std::unique_ptr<store::ObjectWriter> out_;
  const std::unique_ptr<record::Compressor> compressor_;
  std::string ready_;
};

}  // namespace

Result<std::unique_ptr<store::ObjectWriter>> compressed(std::unique_ptr<store::ObjectWriter> out,
                                                        record::Compression compression) {
  if (compression == record::Compression::kNone) return out;
  MR_ASSIGN(auto compressor, record::make_compressor(compression));
  return std::make_unique<CompressedWriter>(std::move(out), std::move(compressor));
}

}  // namespace millrace::transform
