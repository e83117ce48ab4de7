// A run of records of a NativeRequest: reads them, prepares their rows, writes their replies.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "handler/echoed_texts.h"
#include "handler/native_request.h"
#include "handler/record_reader.h"
#include "handler/row_maker.h"
#include "handler/slice.h"

namespace millrace::handler {

class NativeSlice final : public Slice {
 public:
  // `result` belongs to the request.
  NativeSlice(std::shared_ptr<NativeRequest> request, const SliceRange& range, SliceResult* result)
      : request_(std::move(request)), range_(range), result_(*result) {}

  void prepare(Workspace& workspace) override;
  void row_answered(const RowBlock::Row& row) override;
  void finish(Workspace& workspace) override;
  bool cancelled() const override { return request_ == nullptr || request_->cancelled(); }
  void abandon() override {
    if (request_ != nullptr) request_->abandon();
  }

 private:
  void prepare_item(uint32_t record, std::string_view text, Workspace& workspace);
  Status read_item(std::string_view text, Workspace& workspace);
  Status read_csv(std::string_view text, Workspace& workspace);
  Status make_rows(Workspace& workspace, InvokeCounts* counts);
  // Of the slice, up to so many of its rows and ids.
  uint32_t records_until(size_t rows) const;
  uint64_t bytes_until(size_t ids) const;
  void tell_the_rest() const;

  std::shared_ptr<NativeRequest> request_;  // null after finish()
  const SliceRange range_;
  SliceResult& result_;
  std::vector<RowKind> kinds_;
  EchoedTexts echoed_;  // one for each row, where they are asked for
  // Whose results row_answered() told.
  std::atomic<size_t> rows_told_{0}, ids_told_{0};
};

}  // namespace millrace::handler
