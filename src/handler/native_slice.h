// A run of records of a NativeRequest: reads them, prepares their rows, writes their replies.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "handler/echoed_texts.h"
#include "handler/native_request.h"
#include "handler/record_reader.h"
#include "handler/row_maker.h"
#include "handler/slice.h"

namespace millrace::handler {

// Which bytes of a request are a slice's: whole records, or a piece of one large one.
struct SliceRange {
  uint32_t record_begin = 0;
  uint32_t record_end = 0;
  uint32_t offset = 0;  // in the first record
  uint32_t end = 0;     // in the last record
};

class NativeSlice final : public Slice {
 public:
  // `result` belongs to the request.
  NativeSlice(std::shared_ptr<NativeRequest> request, const SliceRange& range, SliceResult* result)
      : request_(std::move(request)), range_(range), result_(*result) {}

  void prepare(Workspace& workspace) override;
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

  std::shared_ptr<NativeRequest> request_;  // null after finish()
  const SliceRange range_;
  SliceResult& result_;
  std::vector<RowKind> kinds_;
  EchoedTexts echoed_;  // one for each row, where they are asked for
};

}  // namespace millrace::handler
