// Every limit of the program, with its reason. Nothing grows without bound because an input is
// large: what is in flight is bounded in bytes and in count by the figures here.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::limits {

constexpr uint64_t kMiB = 1024 * 1024;

// --- Batch Transform's own (API reference, CreateTransformJob) ---

// MaxPayloadInMB when nobody sets it.
constexpr uint64_t kDefaultPayloadBytes = 6 * kMiB;
// MaxPayloadInMB at most; also the largest record we hold in memory when the payload is unlimited.
constexpr uint64_t kPayloadBytesMax = 100 * kMiB;

// --- the data path ---

// Bytes of an object that make one part, unless set. Small enough that a crash costs seconds, large
// enough that staging files and journal lines do not show.
constexpr uint64_t kDefaultPartBytes = 8 * kMiB;
// One read of an object. Large enough for a round trip to S3 to pay, small beside the payload.
constexpr size_t kReadBlockBytes = 1 * kMiB;
// What a decoder (gzip, an encoding) is given at one time; large beside what a call costs, small
// enough to stay in the cache between the stages.
constexpr size_t kDecodeBlockBytes = 128 * 1024;
// A manifest: a million keys of 60 bytes.
constexpr size_t kManifestBytesMax = 64 * 1024 * 1024;
// Nesting of a JSON record. simdjson's default; deeper input is refused, never recursed into.
constexpr size_t kJsonDepthMax = 1024;
// Input that is being transformed at one time, over all feeders of a job.
constexpr uint64_t kInFlightBytesMax = 32 * kMiB;
// A request to a handler that reads each record alone, whatever the declared mini-batch: small, so
// that one 100 MiB mini-batch does not hold up everything; large beside what a queue entry costs.
constexpr uint64_t kRequestBytesMax = 256 * 1024;
constexpr uint32_t kRequestRecordsMax = 1000;
// Such requests in flight for one part: with two feeders four windows of rows, so that the next
// window fills while one drains.
constexpr size_t kRequestsInFlightMax = 8;
// Parts (small objects) worked on at one time, beyond the feeders, while they are small: enough
// one-record objects to fill packs and to hide a store's round trips.
constexpr int kLanesMax = 32;
// Parts that the scan has found and nobody works on yet: 8 GiB of default parts, so totals soon are
// exact; 100 bytes each.
constexpr size_t kPartsAheadMax = 1024;
// A progress bar that moves smoothly; a JSON progress line comes far more rarely.
constexpr int kProgressIntervalMs = 200;
// What is told as the rate, and what the ETA follows from: long enough not to jump with each
// object, short enough to see that a store or a model has become slow.
constexpr double kProgressRateSeconds = 60;
// Objects under way that a progress line names: as many as are worked on at one time.
constexpr size_t kProgressObjectsNamed = 32;
// What a dry run reads of an object to predict from and to measure with: more records than a fast
// model answers in the two seconds that it measures.
constexpr size_t kPreviewBytesMax = 4 * kMiB;
constexpr size_t kPreviewRecordsMax = 65536;
// Predictions that it shows, how long it measures each precision, and how long it counts records.
constexpr size_t kPreviewSamples = 3;
constexpr double kPreviewMeasureSeconds = 2;
constexpr double kPreviewCountSeconds = 20;
// Up to so many outputs are looked up one by one before a job starts; for more, listing is cheaper.
constexpr size_t kStatOutputsMax = 16;
// Parquet. Rows are read and written in batches of about this size, and texts in smaller ones, of
// which each lane has one; no batch has more rows than this.
constexpr int64_t kParquetRowBatchBytes = 8 * kMiB;
constexpr int64_t kParquetTextBatchBytes = 1 * kMiB;
constexpr int64_t kParquetBatchRowsMax = 65536;
// What is read of a column at one time: a request to S3, and there may be hundreds of columns.
constexpr int64_t kParquetColumnBufferBytes = 256 * 1024;
// A row group is held until it is whole: one of more bytes than this (as Arrow holds them) is
// written as several. Encoding it takes some four times as much.
constexpr int64_t kParquetRowGroupBytesMax = 64 * kMiB;
// Output is compressed in blocks of this size, whatever pieces it comes in: the compressed bytes
// then depend on nothing else. Large enough that a block's cost does not show.
constexpr size_t kCompressBlockBytes = 256 * 1024;
// How much of a refused record its line in the errors file, or its placeholder, holds: any record
// that a person would mend and send again.
constexpr size_t kErrorRecordBytesMax = 1 * kMiB;
// How much of a record an error message quotes.
constexpr size_t kErrorExcerptBytesMax = 120;

// --- the native model ---

// Rows that wait for packs. Enough to sort by length well; 4,096 short reviews are some 100 packs.
constexpr size_t kWindowRowsMax = 4096;
// Token ids in a window; bounds memory when rows are long.
constexpr size_t kWindowBytesMax = 4 * kMiB;
// How long a window that is not full waits for more rows while an encoder has nothing to do: longer
// than a feeder needs for its next request, short beside the encoding of a pack.
constexpr int kWindowWaitMs = 2;
// Tokens that go through the encoder together (a longer row goes alone). Enough that the weights,
// read once for each pack, do not count; few enough that a layer's intermediates stay in the cache.
// Measured with bench/engine_bench (DistilBERT-base, SST-2 dev, AVX-512 on Zen 4), sequences per
// core and second: 47 with 64 tokens, 51 with 128, 51.5 with 256, 52 with 512, 51.5 with 1,024.
constexpr size_t kPackTokensMax = 512;
// A window with little in it is cut into at least one pack for each encoder, but not smaller.
constexpr size_t kPackTokensMin = 64;
// Records that are parsed and tokenised at one time: some milliseconds of work, so that the lock
// around the queue does not count and all cores share a large request.
constexpr size_t kSliceRecordsMax = 64;
constexpr size_t kSliceBytesMax = 64 * 1024;
// Requests that nobody has begun to read. Feeders bound what they have in flight themselves; this
// holds against one that does not.
constexpr uint64_t kQueueBytesMax = 32 * kMiB;
// Buffers of the JSON reader that one large record blew up are given back above this.
constexpr size_t kReaderBytesKept = 1 * kMiB;
// --- the result cache ---

// What a folder keeps unless set: some 15 million rows as short as SST-2's phrases.
constexpr uint64_t kResultCacheBytes = 1024 * kMiB;
constexpr uint64_t kResultCacheBytesMin = 16 * kMiB;
constexpr uint64_t kResultCacheBytesMax = 16 * 1024 * kMiB;
// A folder's bound in segments: room is made by forgetting one segment, a sixteenth of what is
// kept.
constexpr uint64_t kResultSegmentsInBound = 16;
// Of a segment: 16 GiB are 128 files, which one process can hold open.
constexpr uint64_t kResultSegmentBytesMax = 128 * kMiB;
// The longest row (65,536 ids and types) with many values; longer ones are computed each time.
constexpr size_t kResultEntryBytesMax = 1 * kMiB;
// Entries that one job looks among: the index takes up to 16 bytes for each, 128 MiB, half of what
// DistilBERT-base's weights take. Beyond it the oldest are computed again.
constexpr size_t kResultEntriesMax = 8 * 1000 * 1000;

// --- model folders ---

// Header of a safetensors file. BERT-large has 40 KB; parsed, a header takes some ten times its
// size.
constexpr uint64_t kSafetensorsHeaderBytesMax = 16 * kMiB;
// config.json, the index of a sharded model, the model card: kilobytes when they are what they say.
constexpr size_t kModelTextFileBytesMax = 16 * kMiB;
// tokenizer.json, vocab.txt: the multilingual ones have 2 MB; the largest of other families 35 MB.
constexpr size_t kTokenizerFileBytesMax = 64 * kMiB;
// data.pkl of a PyTorch checkpoint. BERT-large has 100 KB; read, one takes up to 200 times its
// size.
constexpr size_t kTorchPickleBytesMax = 1 * kMiB;
// What each tensor in it repeats: the name of its storage (PyTorch counts them: "0", "1", ...), its
// shape and strides (no layer has more than five), and the arguments that PyTorch rebuilds it from.
constexpr size_t kTorchStorageNameBytesMax = 255;
constexpr size_t kTorchDimensionsMax = 8;
constexpr size_t kTorchArgumentsMax = 16;
// Nesting of a model folder's JSON: the deepest known has 6 levels.
constexpr int kModelJsonDepthMax = 64;
// Sizes that config.json may state. Twice the largest BERT made (BERT-xlarge: 2,560 wide, 48
// layers) and beyond; the products of them stay far from overflow.
constexpr uint64_t kModelLayersMax = 512;
constexpr uint64_t kModelWidthMax = 65536;
constexpr uint64_t kModelVocabularyMax = 16 * 1024 * 1024;
constexpr uint64_t kModelPositionsMax = 65536;
constexpr uint64_t kModelLabelsMax = 65536;

// --- model artefacts ---

// What a model.tar.gz may unpack to: more than any text classifier, less than a bomb.
constexpr uint64_t kModelBytesMax = 16 * 1024 * kMiB;
constexpr uint64_t kModelEntriesMax = 100000;
// A smaller one is unpacked before anybody wonders.
constexpr uint64_t kUnpackNoticeBytesMin = 64 * kMiB;

// --- model servers (the container contract) ---

// SageMaker's own: InvocationsTimeoutInSeconds and InvocationsMaxRetries when nobody sets them, how
// long a server may take to answer /ping at all, and for one answer to it.
constexpr int64_t kInvocationTimeoutSeconds = 600;
constexpr int kInvocationRetries = 3;
constexpr int64_t kPingTimeoutSeconds = 30 * 60;
constexpr int64_t kPingRequestMs = 2000;
// It is asked about each second, as by SageMaker; at first more often, because small servers start
// in a fraction of one.
constexpr int64_t kPingFirstDelayMs = 50;
constexpr int64_t kPingDelayMs = 1000;
// Asked once, after the server said that it is ready.
constexpr int64_t kExecutionParametersMs = 10000;
constexpr size_t kModelServerTextBytesMax = 64 * 1024;
// A thread and a connection each.
constexpr uint32_t kConcurrentTransformsMax = 1000;
// As SageMaker has it for an inference pipeline.
constexpr size_t kPipelineStepsMin = 2;
constexpr size_t kPipelineStepsMax = 15;
// A reply is held whole: under the default payload of 6 MiB a model may write 16 bytes for a byte.
constexpr size_t kReplyBytesMax = 100 * kMiB;
// How much of a refusing reply an error message quotes: some twenty lines of a traceback.
constexpr size_t kReplyExcerptBytesMax = 2048;
// A server that we started has so long after SIGTERM, as on SageMaker; then it is killed.
constexpr int64_t kModelStopSeconds = 30;
// A longer line of its output is cut into several.
constexpr size_t kModelLogLineBytesMax = 16 * 1024;
// How many of its last lines are told when it has ended by itself.
constexpr size_t kModelLogTailLines = 20;

// Deaths of Python workers without an answer between them: a killer among a million records is
// found by halving after some 40, and a model that dies whatever it is asked is not asked for ever.
constexpr int kWorkerDeathsMax = 64;

// --- serving a model ---

// Requests with the model at one time. 16 mini-batches of a job's default 6 MiB are what SageMaker
// lets a container ask for, and fill the native model's window many times.
constexpr uint32_t kServedTransforms = 16;
// A connection holds at most one request, so this bounds memory, too.
constexpr size_t kServerConnectionsMax = 64;
// A client that keeps a connection is expected to use it, and one that sends to go on sending.
constexpr int64_t kServerIdleSeconds = 60;
// The headers of a request come in one packet or two; who takes longer holds the connection only.
constexpr int64_t kServerHeaderSeconds = 10;
// A signed request has 2 KiB of headers; temporary credentials' tokens add up to 4 KiB.
constexpr uint32_t kServerHeaderBytesMax = 32 * 1024;

// --- the service ---

// The largest valid request: 16 variables of 1,024 and 10,240 characters, each written as \uXXXX.
constexpr uint64_t kApiBodyBytesMax = 2 * kMiB;
// The deepest shape, a model's data source, has 8 levels.
constexpr size_t kApiJsonDepthMax = 32;
// What an error message repeats of a value, and how many violations it tells.
constexpr size_t kApiValueShownBytesMax = 1024;
constexpr size_t kApiViolationsMax = 100;
// Bytes of a model's Environment: the API's own limit.
constexpr size_t kModelEnvironmentBytesMax = 32 * 1024;
constexpr int64_t kTransformInstancesMax = 100;
// AWS's: a signature is good for so long before and after its date.
constexpr int64_t kSignatureSkewSeconds = 15 * 60;
// Thousands of keys.
constexpr size_t kAccessKeysBytesMax = 1 * kMiB;
// Derived keys that are kept: a few for each of thousands of keys and day.
constexpr size_t kSigningKeysMax = 20000;
// How often the files of keys are looked at.
constexpr int64_t kServiceFilesPollMs = 1000;
// Clients that keep connections: a thousand notebooks, and as many again. 8 KiB each.
constexpr size_t kServiceConnectionsMax = 4096;
// Requests that wait for the disk or S3 (create, stop, logs): threads, and how many wait for one.
constexpr size_t kServiceWorkers = 4;
constexpr size_t kServiceWaitingMax = 1024;
// CloudWatch Logs: streams in one page, and those that FilterLogEvents looks through by itself.
constexpr size_t kLogStreamsInPage = 50;
constexpr size_t kLogStreamsFiltered = 100;
// Lines of the log that wait to be written; more are dropped and counted.
constexpr size_t kServiceLogLinesMax = 10000;

// --- the job service ---

// Writes that share one commit of the job store: more than callers wait at one time.
constexpr size_t kStoreGroupMax = 256;
// Between two attempts to store how a job ended, while the store cannot be written.
constexpr int64_t kStoreRetryMs = 1000;
// SageMaker's: FailureReason, tags of one resource.
constexpr size_t kFailureReasonBytesMax = 1024;
constexpr size_t kTagsMax = 50;
// A log stream: some hundred thousand lines, which a reader still goes through in a moment.
constexpr uint64_t kLogStreamBytesMax = 16 * kMiB;
// What a full one still takes: how the job ended.
constexpr uint64_t kLogStreamReserveBytes = 256 * 1024;
constexpr size_t kLogReadBlockBytes = 256 * 1024;
// State changes that wait for a webhook: a kilobyte or two each.
constexpr size_t kEventsQueuedMax = 1000;
constexpr int64_t kEventTimeoutMs = 10000;

// --- files ---

// NAME_MAX of every file system in use.
constexpr size_t kFileNameBytesMax = 255;
// Folders inside folders when listing. Links that lead back up are found before; this bounds the
// stack for trees that are merely deep.
constexpr size_t kFolderDepthMax = 1024;
// What lies beside an output file and says what it was made of: four short lines.
constexpr uint64_t kStampBytesMax = 64 * 1024;
// What a file writer gathers before it calls the kernel: records arrive by the line.
constexpr size_t kFileWriteBlockBytes = 256 * 1024;

// --- network ---

// How often a request is made before what it belongs to fails: with the delays below some four
// seconds on average, seven and a half at most, which outlasts a restart of a load balancer.
constexpr int kNetworkAttempts = 5;
constexpr int64_t kRetryFirstDelayMs = 500;
constexpr int64_t kRetryDelayMaxMs = 20000;
constexpr int64_t kHttpConnectTimeoutMs = 10000;
// A server may think for long (S3 completes a large upload in minutes, but sends spaces meanwhile).
constexpr int64_t kHttpIdleTimeoutMs = 60000;
// The longest reply that is held whole: a listing of 1,000 keys of 1,024 bytes, each byte %XX.
constexpr size_t kHttpReplyBytesMax = 16 * kMiB;
constexpr size_t kHttpHeadersMax = 256;
// Connections that are kept for later requests; more are only open while they are used.
constexpr size_t kHttpIdleHandlesMax = 32;

// --- S3 ---

// AWS: an upload part has at least 5 MiB (but the last) and an upload at most 10,000 parts.
constexpr uint64_t kUploadPartBytesMin = 5 * kMiB;
constexpr uint32_t kUploadPartsMax = 10000;
// The first thousand upload parts. One is filled while one is sent: 16 MiB for each open output.
constexpr uint64_t kUploadPartBytes = 8 * kMiB;
// One range read. At 80 MB/s for a connection it takes 50 ms, beside which the 20 to 30 ms until
// its first byte hide, because the next one is fetched meanwhile: 8 MiB for each open input.
constexpr uint64_t kS3ReadBlockBytes = 4 * kMiB;
// AWS: a key in UTF-8.
constexpr size_t kS3KeyBytesMax = 1024;
// Clean-up (aborting an upload, asking what became of one) may not hold up the end of the program.
constexpr int64_t kCleanUpTimeoutMs = 5000;
constexpr int kCleanUpAttempts = 3;

// --- credentials ---

// Replaced when they expire within this: a request signed just before must still be accepted.
constexpr int64_t kCredentialsRefreshSeconds = 300;
// After a refresh failed while the old ones are valid, they are used for this long before the next.
constexpr int64_t kCredentialsRetrySeconds = 30;
// The instance metadata service answers within milliseconds or is not there.
constexpr int64_t kMetadataTimeoutMs = 1000;
constexpr int64_t kCredentialsTimeoutMs = 10000;
// Output of a credential_process, token and configuration files: kilobytes when they are right.
constexpr size_t kCredentialsBytesMax = 1 * kMiB;
constexpr int64_t kCredentialProcessTimeoutMs = 60000;
// source_profile leads to source_profile: more than this is a mistake.
constexpr size_t kProfileChainMax = 8;

static_assert(kUploadPartBytes >= kUploadPartBytesMin);

}  // namespace millrace::limits
