// MiniBatches must place boundaries exactly where the batcher, which makes the bodies, does.
#include "transform/mini_batches.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "record/batcher.h"

namespace millrace::transform {
namespace {

using record::BatchStrategy;

std::vector<uint64_t> batcher_boundaries(const record::DataFormat& format,
                                         const std::vector<std::string>& records) {
  record::BatchLimits limits;
  limits.strategy = format.batch_strategy;
  limits.payload_bytes_max = format.max_payload_bytes;
  record::Batcher batcher(limits, 0);
  std::vector<uint64_t> firsts;
  for (const std::string& text : records) {
    const auto complete = batcher.add({text, text, 0});
    if (complete && *complete) firsts.push_back(batcher.take().first_record);
  }
  const record::MiniBatch rest = batcher.take();
  if (!rest.empty()) firsts.push_back(rest.first_record);
  return firsts;
}

TEST(MiniBatches, BeginWhereTheBatchersDo) {
  std::minstd_rand random(3);
  for (int round = 0; round < 300; ++round) {
    record::DataFormat format;
    format.split_type = record::SplitType::kLine;
    format.batch_strategy =
        round % 3 == 0 ? BatchStrategy::kSingleRecord : BatchStrategy::kMultiRecord;
    format.max_payload_bytes = round % 5 == 0 ? 0 : 20 + random() % 60;
    std::vector<std::string> records(random() % 40);
    for (std::string& record : records) record.assign(1 + random() % 20, 'r');

    MiniBatches mini_batches(format, 0);
    std::vector<uint64_t> firsts;
    for (size_t i = 0; i < records.size(); ++i) {
      if (mini_batches.begins(records[i].size())) firsts.push_back(i);
    }
    EXPECT_EQ(firsts, batcher_boundaries(format, records)) << round;
  }
}

TEST(MiniBatches, AnUnlimitedOneGoesOnInTheNextPart) {
  record::DataFormat format;
  format.split_type = record::SplitType::kLine;
  EXPECT_TRUE(MiniBatches(format, 0).begins(5));
  EXPECT_FALSE(MiniBatches(format, 7).begins(5));
  format.max_payload_bytes = 10;
  EXPECT_TRUE(MiniBatches(format, 7).begins(5));
}

}  // namespace
}  // namespace millrace::transform
