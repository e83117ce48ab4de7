// JsonWriter: one walk over a JSON text that checks it as strictly as find_json_fault() does and
// copies it compactly, keys sorted bytewise, every number and string as the slice it is. Of equal
// keys the last one counts, as in Go's encoding/json and most others.
//
// Written by hand, because records are short: what simdjson's index costs for 200 bytes is more
// than the walk itself (bench/record_bench, Zen 3: joins and filters at 126 to 200 MiB/s with its
// On-Demand API, at 302 to 414 here).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::record {

// Not thread-safe; its buffers are reused, so have one for many texts.
class JsonWriter {
 public:
  // An object that is being written.
  struct Object {
    size_t first_member = 0;
    size_t decoded_start = 0;
    size_t content_start = 0;  // after '{'
    bool sorted = true;
  };

  // What follows is appended to `out`. REQUIRES: texts of at most `bytes_max` together, less than
  // 2 GiB, and beside them no more than 256 bytes of keys (open_member).
  void begin(std::string* out, size_t bytes_max);
  void end();   // what was written is there
  void drop();  // nothing was appended

  // Appends one JSON document. False: it is none, and the output must be dropped.
  bool document(std::string_view text);

  // An object of our own: its members come from the members of a document that is an object, and
  // from values under keys given here.
  Object open_object();
  bool members_of(std::string_view text, Object* object);
  // `key`: as it stands between its quotes.
  void open_member(std::string_view key, Object* object);
  void close_member();
  void close_object(const Object& object);

  // Buffers that one huge text blew up are given back.
  void release_if_huge();

 private:
  // `"key":value` in the output, from its begin on.
  struct Member {
    uint64_t order = 0;  // the key's first eight bytes, the first one highest
    uint32_t start = 0;
    uint32_t end = 0;
    uint32_t key = 0;  // of the decoded key: in the output, or in decoded_
    uint32_t key_length = 0;
    bool key_decoded = false;
  };

  bool load(std::string_view text);
  bool at_end();
  void skip_space();
  void copy(const char* from, const char* to);
  bool value(size_t depth);
  bool string();
  bool number();
  bool literal(std::string_view word);
  bool array(size_t depth);
  bool object(size_t depth);
  bool members(size_t depth, Object* object);
  bool key(Object* object);
  void name_member(const char* key, const char* end, bool escaped, Object* object);
  void start_member(const Object& object);
  void sort_members(const Object& object);

  uint32_t position() const { return static_cast<uint32_t>(to_ - begin_); }
  std::string_view key_of(const Member& member) const;
  bool is_before(const Member& a, const Member& b) const;

  std::string padded_;  // the text, then zeros: no look ahead needs a check
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::string* out_ = nullptr;
  size_t base_ = 0;  // where in *out_ it begins
  char* begin_ = nullptr;
  char* to_ = nullptr;
  std::vector<Member> members_;   // of all open objects: a stack
  std::string decoded_;           // their keys, where a key has escapes: likewise
  std::string sorted_, own_key_;  // scratch
};

}  // namespace millrace::record
