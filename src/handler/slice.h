// A slice: a run of consecutive records of one request, which are parsed and tokenised together,
// whose rows go into one window, and whose replies are written together. It is what workers pass
// around, so that nothing is locked or allocated for each record.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace millrace::handler {

struct Workspace;

// Rows that wait for the encoder or have been through it, side by side.
struct RowBlock {
  struct Row {
    uint32_t offset = 0;  // of its first id
    uint32_t length = 0;  // ids; 0: nothing for the encoder (an empty text that is left blank)
    uint64_t hash = 0;    // of ids and token-type ids
    bool cached = false;  // has its result without the encoder

    // Waits for the encoder.
    bool open() const { return length > 0 && !cached; }
  };

  std::vector<int32_t> ids;
  std::vector<uint8_t> token_type_ids;
  std::vector<Row> rows;
  std::vector<float> logits;      // rows x labels; written by the encoder
  std::vector<float> embeddings;  // rows x H, where they are asked for
  uint64_t duplicates = 0;        // rows that take the result of an equal one
  uint64_t cached = 0;            // rows that the result cache answered

  void add(std::span<const int32_t> row_ids, std::span<const uint8_t> row_types);
  void add_blank() { rows.emplace_back(); }
  // Drops the rows from `count` on.
  void shrink(size_t count);
  std::span<const int32_t> ids_of(const Row& row) const {
    return {ids.data() + row.offset, row.length};
  }
  std::span<const uint8_t> types_of(const Row& row) const {
    return {token_type_ids.data() + row.offset, row.length};
  }
};

class Slice {
 public:
  virtual ~Slice() = default;

  // Fills `rows`. Called once, by a worker.
  virtual void prepare(Workspace& workspace) = 0;
  // A row that went through the encoder has its result; open_rows still counts it. From any worker.
  virtual void row_answered(const RowBlock::Row& /*row*/) {}
  // Every row of `rows` has its result. Called once, by a worker; not after abandon().
  virtual void finish(Workspace& workspace) = 0;
  // Nobody waits for this any more. From any worker, any number of times.
  virtual bool cancelled() const = 0;
  virtual void abandon() = 0;

  RowBlock block;
  // Rows that still wait for a result; who brings it to 0 calls finish().
  std::atomic<size_t> open_rows{0};
};

// What the scheduler takes slices from: a request.
class Task {
 public:
  virtual ~Task() = default;

  // The next slice; null when there is none left. Called by one worker at a time, in order.
  virtual std::shared_ptr<Slice> next_slice() = 0;
  virtual bool cancelled() const = 0;
  // Answers the task with Code::kCancelled, unless it is answered. From any thread.
  virtual void abandon() = 0;
  // Who shares the engine with others as one: a job.
  virtual const std::string& group() const = 0;
  // Of the tasks of a group, the one with the lowest is worked on first.
  virtual uint64_t order() const { return 0; }
  virtual uint64_t bytes() const = 0;
};

}  // namespace millrace::handler
