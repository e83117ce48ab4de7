// A part is closed by the first record that begins a mini-batch beyond the part's size, so only the
// end of the object closes the last one.
#include "transform/scan_object.h"

#include <utility>

#include "transform/csv_columns.h"
#include "transform/mini_batches.h"
#include "transform/record_stream.h"

namespace millrace::transform {
namespace {

// One request, whatever the object's size.
bool is_unlimited(const record::DataFormat& format) {
  return format.max_payload_bytes == 0 &&
         format.batch_strategy == record::BatchStrategy::kMultiRecord;
}

// Whether one response may be written in parts. Its records have a newline between them, and where
// records are dropped only what was written before tells whether one is due.
bool is_written_alone(const TransformJob& job) {
  return job.format.assemble_with == record::AssembleWith::kNone &&
         job.record_errors.on == RecordErrorRules::On::kDrop;
}

bool may_cut_anywhere(const TransformJob& job, const handler::HandlerTraits& traits) {
  return is_unlimited(job.format) && traits.reads_records_alone && !is_written_alone(job);
}

class Scan {
 public:
  Scan(const TransformJob& job, const store::ObjectInfo& object,
       const handler::HandlerTraits& traits, const PartSink& emit)
      : job_(job),
        object_(object),
        traits_(traits),
        emit_(emit),
        // An unlimited request is sent in pieces to a handler that reads records alone.
        cut_anywhere_(may_cut_anywhere(job, traits)) {
    whole_.length = object.size;
  }

  void run(store::ObjectStore& store, const CancelToken& cancel) {
    if (Status status = find_parts(store, cancel); !status) {
      part_.end_error = std::move(status).error();
    } else {
      end_ = object_.size;  // blank lines after the last record belong to the last part
    }
    part_.last = true;
    close(end_);
  }

 private:
  Status find_parts(store::ObjectStore& store, const CancelToken& cancel) {
    MR_ASSIGN(RecordStream records,
              RecordStream::open(store, object_, whole_, job_.format, cancel,
                                 job_.record_errors.bad_records(), record::Checksums::kIgnore));
    if (has_csv_header(job_.format)) {
      MR_ASSIGN(const record::CsvHeader header, records.take_header());
      MR_ASSIGN(const CsvColumns columns, resolve_csv_columns(header, job_, traits_));
      columns_ = columns;
    } else {
      columns_ = columns_without_header(job_);
    }
    records.set_filter(columns_.filters->input);
    MiniBatches mini_batches(job_.format, 0);
    record::Record record;
    for (;;) {
      MR_ASSIGN(const bool found, records.next(&record));
      if (!found) return {};
      const bool may_begin = mini_batches.begins(record.framed.size()) || cut_anywhere_;
      if (may_begin && record.offset - part_.offset >= job_.part_bytes) {
        const bool wanted = close(record.offset);
        start(record.offset, records.next_record() - 1);
        if (!wanted) return fail(cancelled("stopped"));  // in the new part: the other is given
      }
      end_ = records.position();
      ++records_;
    }
  }

  bool close(uint64_t end) {
    part_.length = end - part_.offset;
    part_.records = records_;
    return emit_(part_);
  }

  void start(uint64_t offset, uint64_t first_record) {
    part_.index += 1;
    part_.offset = offset;
    part_.first_record = first_record;
    part_.text_column = columns_.text_column;
    part_.input_columns = columns_.input_columns;
    part_.filters = columns_.filters;
    records_ = 0;
    end_ = offset;
  }

  const TransformJob& job_;
  const store::ObjectInfo& object_;
  const handler::HandlerTraits& traits_;
  const PartSink& emit_;
  const bool cut_anywhere_;
  Part whole_;
  Part part_;  // the one that is being found
  uint64_t records_ = 0;
  uint64_t end_ = 0;  // of the records that are in it
  CsvColumns columns_;
};

}  // namespace

bool is_cut_into_parts(const TransformJob& job, const store::ObjectInfo& object,
                       const handler::HandlerTraits& traits) {
  const record::DataFormat& format = job.format;
  const bool can_be_cut =
      format.split_type == record::SplitType::kLine || record::is_framed(format.split_type);
  return can_be_cut && !record::is_decoded(format) && object.size > job.part_bytes &&
         (!is_unlimited(format) || may_cut_anywhere(job, traits));
}

void scan_object(store::ObjectStore& store, const TransformJob& job,
                 const store::ObjectInfo& object, const handler::HandlerTraits& traits,
                 const CancelToken& cancel, const PartSink& emit) {
  Scan(job, object, traits, emit).run(store, cancel);
}

}  // namespace millrace::transform
