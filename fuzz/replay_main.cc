// The main function of a fuzz target where libFuzzer is not linked: runs every seed file and a
// fixed number of mutations of the seeds, the same ones in every run, so that each build of the
// tests exercises the target. `NAME_fuzz SEED_FOLDER [MUTATIONS]`, or `NAME_fuzz FILE` to look at
// one input. When the target crashes, the input that did it is written to the file that is named.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kDefaultMutations = 20000;
constexpr size_t kInputBytesMax = 1 << 20;

// SplitMix64: small, and the same numbers on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  size_t below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(next() % n); }

 private:
  uint64_t state_;
};

// What the signal handler needs; it may only touch plain memory.
const uint8_t* current_data = nullptr;
size_t current_size = 0;
constexpr char kCrashFile[] = "fuzz-crash.bin";

void on_crash(int signal_number) {
  const int fd = open(kCrashFile, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd >= 0) {
    [[maybe_unused]] ssize_t written = write(fd, current_data, current_size);
    close(fd);
  }
  constexpr char kMessage[] = "crash: the input is in fuzz-crash.bin in this folder\n";
  [[maybe_unused]] ssize_t said = write(2, kMessage, sizeof kMessage - 1);
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void run(const Bytes& input) {
  current_data = input.data();
  current_size = input.size();
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

using Offset = Bytes::difference_type;

void mutate_once(Random& random, const std::vector<Bytes>& seeds, Bytes& input) {
  static constexpr uint8_t kInteresting[] = {0,    1,    0x7f, 0x80, 0xff, '"', '\\',
                                             '\n', '\r', ',',  '{',  '}',  '[', ']',
                                             ':',  '-',  '9',  'e',  '<',  ' '};
  const size_t at = random.below(input.size() + 1);
  const size_t left = input.size() - at;
  const size_t length = random.below(std::min<size_t>(left, 64) + 1);
  const auto here = input.begin() + static_cast<Offset>(at);
  const auto there = here + static_cast<Offset>(length);
  switch (random.below(7)) {
    case 0:
      if (left > 0) input[at] = static_cast<uint8_t>(input[at] ^ (1u << random.below(8)));
      break;
    case 1:
      if (left > 0) input[at] = kInteresting[random.below(sizeof kInteresting)];
      break;
    case 2:
      input.insert(here, kInteresting[random.below(sizeof kInteresting)]);
      break;
    case 3:
      input.erase(here, there);
      break;
    case 4: {  // repeat a piece of itself
      const Bytes piece(here, there);
      input.insert(here, piece.begin(), piece.end());
      break;
    }
    case 5:
      input.resize(at);
      break;
    default: {  // go on with the tail of another seed
      const Bytes& other = seeds[random.below(seeds.size())];
      const size_t from = random.below(other.size() + 1);
      input.resize(at);
      input.insert(input.end(), other.begin() + static_cast<Offset>(from), other.end());
    }
  }
  if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
}

bool read_file(const std::filesystem::path& path, Bytes& bytes) {
  std::ifstream file(path, std::ios::binary);
  bytes.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  return !file.bad() && file.is_open();
}

std::vector<std::filesystem::path> seed_files(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return {path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());  // the same order on every file system
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s SEED_FOLDER|FILE [MUTATIONS]\n", argv[0]);
    return 2;
  }
  std::vector<Bytes> seeds;
  for (const auto& file : seed_files(argv[1])) {
    if (!read_file(file, seeds.emplace_back())) {
      std::fprintf(stderr, "%s: cannot be read\n", file.c_str());
      return 1;
    }
  }
  if (seeds.empty()) {
    std::fprintf(stderr, "%s: no seed in it\n", argv[1]);
    return 1;
  }
  for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    signal(signal_number, on_crash);
  }
  for (const Bytes& seed : seeds) run(seed);

  const bool one_file = !std::filesystem::is_directory(argv[1]);
  const size_t mutations = argc > 2   ? std::strtoull(argv[2], nullptr, 10)
                           : one_file ? 0
                                      : kDefaultMutations;
  Random random(20260101);
  Bytes input;
  for (size_t i = 0; i < mutations; ++i) {
    input = seeds[random.below(seeds.size())];
    for (size_t changes = 1 + random.below(6); changes > 0; --changes) {
      mutate_once(random, seeds, input);
    }
    run(input);
  }
  std::printf("%zu seeds and %zu mutations\n", seeds.size(), mutations);
  return 0;
}
