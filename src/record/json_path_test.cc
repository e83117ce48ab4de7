// JSONPath: SageMaker's subset in its own words, RFC 9535 by its compliance suite, and evaluation
// beside a slow reference on random documents.
#include "record/json_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "record/csv_fields.h"
#include "record/csv_filter.h"
#include "record/join.h"
#include "record/json_filter.h"

namespace millrace::record {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using Kind = JsonPathSelector::Kind;

std::string parse_error(std::string_view text, JsonPathMode mode = JsonPathMode::kSageMaker) {
  const auto path = parse_json_path(text, mode);
  if (path) return "";
  EXPECT_EQ(path.error().code, Code::kInvalidArgument);
  return path.error().message;
}

std::string select(std::string_view document, std::string_view text,
                   JsonPathMode mode = JsonPathMode::kSageMaker) {
  const auto path = parse_json_path(text, mode);
  if (!path) return "error: " + path.error().message;
  JsonJoiner joiner;
  std::string canonical;
  if (!joiner.canonicalize(document, &canonical)) return "error: not JSON";
  std::string out;
  const auto status = JsonFilter(*path).select(canonical, &out);
  return status ? out : "error: " + status.error().message;
}

std::string select_csv(std::string_view row, std::string_view text, const char* header = nullptr) {
  const auto mode = header == nullptr ? JsonPathMode::kSageMaker : JsonPathMode::kExtended;
  std::vector<std::string> names;
  if (header != nullptr) names = parse_csv_record(header, ',').value();
  const auto path = parse_json_path(text, mode);
  if (!path) return "error: " + path.error().message;
  const auto resolved = csv_path(*path, header == nullptr ? nullptr : &names);
  if (!resolved) return "error: " + resolved.error().message;
  std::string out;
  const auto status = CsvFilter(*resolved, ',').select(row, &out);
  return status ? out : "error: " + status.error().message;
}

TEST(SageMakerPath, IsRefusedInItsOwnWordsWhereACharacterStandsInNoPath) {
  EXPECT_EQ(check_sagemaker_path("OutputFilter", "$['account_id','SageMakerOutput']",
                                 "application/jsonlines")
                .error()
                .message,
            "Invalid OutputFilter: \"$['account_id','SageMakerOutput']\". Unexpected \"_\" in "
            "JsonPath. Supported operators for \"application/jsonlines\" are ['$', '[', ']', '*', "
            "'.', ' ', ',', ':', '-', ''']");
  EXPECT_THAT(check_sagemaker_path("InputFilter",
                                   "$.gr\xC3\xB6\xC3\x9F"
                                   "e",
                                   "application/json")
                  .error()
                  .message,
              HasSubstr("Unexpected \"\xC3\xB6\" in JsonPath. Supported operators for "
                        "\"application/json\""));
  EXPECT_EQ(check_sagemaker_path("InputFilter", "$.id", "text/csv").error().message,
            "Invalid InputFilter: \"$.id\". Unexpected \"i\" in JsonPath. Supported operators for "
            "\"text/csv\" are ['$', '[', ']', '*', '.', ' ', ',', ':', '-']");
  EXPECT_TRUE(check_sagemaker_path("InputFilter", "$[0,-1]", "text/csv"));
  EXPECT_TRUE(
      check_sagemaker_path("OutputFilter", "$['id','SageMakerOutput']", "application/json"));
}

TEST(SageMakerPath, HasAtMost63Characters) {
  const std::string longest = "$." + std::string(61, 'a');
  EXPECT_TRUE(check_sagemaker_path("InputFilter", longest, "application/json"));
  EXPECT_EQ(check_sagemaker_path("InputFilter", longest + "b", "application/json").error().message,
            "1 validation error detected: Value '" + longest +
                "b' at 'dataProcessing.inputFilter' failed to satisfy constraint: Member must have "
                "length "
                "less than or equal to 63");
}

TEST(SageMakerPath, KnowsOneRangeInABracketAndNothingBesideIt) {
  EXPECT_EQ(parse_error("$[0:2,246:]"),
            "Invalid JsonPath: $[0:2,246:]: only single range filters of format (eg: [1:5]) are "
            "supported. Format [0:2,246:] is not supported");
  EXPECT_THAT(parse_error("$[0,5:]"), HasSubstr("Format [0,5:] is not supported"));
  EXPECT_THAT(parse_error("$[1:5:2]"), HasSubstr("Format [1:5:2] is not supported"));
  EXPECT_THAT(parse_error("$[*,1]"), HasSubstr("Format [*,1] is not supported"));
}

TEST(SageMakerPath, SaysWhereAPathIsWrong) {
  EXPECT_EQ(parse_error("a"), "Invalid JsonPath: a: at byte 0: a path begins with '$'");
  EXPECT_THAT(parse_error("$..a"), HasSubstr("at byte 2: descendants ('..') are not supported"));
  EXPECT_THAT(parse_error("$[?(@.a)]"), HasSubstr("at byte 2: filters ('?') are not supported"));
  EXPECT_THAT(parse_error("$['a'"), HasSubstr("at byte 5: ']' is missing"));
  EXPECT_THAT(parse_error("$['a"), HasSubstr("at byte 2: the quote is not closed"));
  EXPECT_THAT(parse_error("$['a',1]"), HasSubstr("at byte 1: names and indexes"));
  EXPECT_THAT(parse_error("$['a','b.c']"), HasSubstr("a path inside a bracket is not supported"));
  EXPECT_THAT(parse_error("$."), HasSubstr("at byte 2: expected a name"));
  EXPECT_THAT(parse_error("$[\"a\"]"), HasSubstr("at byte 2"));
  EXPECT_EQ(parse_error(""), "") << "the default";
}

TEST(SageMakerPath, IncludesTheEndOfARange) {
  EXPECT_EQ(select_csv("a,b,c,d,e,f,g", "$[1:4]"), "b,c,d,e");
  EXPECT_EQ(select_csv("a,b,c,d,e,f,g", "$[5:]"), "f,g");
  EXPECT_EQ(select_csv("a,b,c,d,e,f,g", "$[:5]"), "a,b,c,d,e,f");
  EXPECT_EQ(select_csv("a,b,c", "$[1:-1]"), "b,c");
  EXPECT_EQ(select_csv("a,b,c", "$[1:99]"), "b,c") << "ranges are clipped";
  EXPECT_EQ(select("[1,2,3,4]", "$[1:2]"), "[2,3]");
}

TEST(SageMakerPath, SelectsFieldsAsTheyStand) {
  EXPECT_EQ(select_csv("1,\"a, \"\"b\"\"\",3.50", "$[1,-1,0]"), "\"a, \"\"b\"\"\",3.50,1");
  EXPECT_EQ(select_csv("1,,3", "$[1]"), "\"\"") << "an empty line would be no row";
  EXPECT_EQ(select_csv("1,,3", "$[1,1]"), ",");
  EXPECT_EQ(select_csv("1,2", "$[*]"), "1,2");
  EXPECT_EQ(select_csv("1,2", "$[0,2]"), "error: there is no column 2: the row has 2");
  EXPECT_EQ(select_csv("1,2", "$[-3]"), "error: there is no column -3: the row has 2");
  EXPECT_EQ(select_csv("1,2", "$[5:]"), "error: selects no column: the row has 2");
  EXPECT_THAT(select_csv("1,\"2", "$[0]"), HasSubstr("error: not CSV: the quote at byte 2"));
  EXPECT_THAT(select_csv("1", "$.id"),
              HasSubstr("Invalid JsonPath: $.id: CSV columns are selected"));
  EXPECT_THAT(select_csv("1", "$[0][1]"), HasSubstr("Invalid JsonPath: $[0][1]: a CSV row has"));
}

TEST(ExtendedPath, SelectsCsvColumnsByName) {
  EXPECT_EQ(select_csv("1,x,\"y\"", "$['text','id']", "id,app,text"), "\"y\",1");
  EXPECT_EQ(select_csv("1,x,y", "$.text", "id,app,text"), "y");
  EXPECT_EQ(select_csv("1,x,y", "$[0:2,'text']", "id,app,text"), "1,x,y") << "the end is excluded";
  EXPECT_EQ(select_csv("1,x,y", "$[::-1]", "id,app,text"), "y,x,1");
  EXPECT_EQ(select_csv("1,2", "$.no", "id,app"), "error: $.no: no column has the name 'no'");
  EXPECT_EQ(select_csv("1,2", "$.id", "id,id"),
            "error: $.id: more than one column has the name 'id': give indexes");
}

TEST(SageMakerPath, SelectsOneValueSomeMembersOrAListOfValues) {
  constexpr std::string_view kRecord =
      R"({"id":15024,"features":[1.10,2E+2,"x"],"nested":{"b":1,"a":[ {"k" : -0} ]},"é\n":"ü"})";
  EXPECT_EQ(select(kRecord, "$"),
            R"({"features":[1.10,2E+2,"x"],"id":15024,"nested":{"a":[{"k":-0}],"b":1},"é\n":"ü"})");
  EXPECT_EQ(select(kRecord, "$.features"), R"([1.10,2E+2,"x"])");
  EXPECT_EQ(select(kRecord, "$.features[2]"), R"("x")");
  EXPECT_EQ(select(kRecord, "$.features[0,-1]"), R"([1.10,"x"])");
  EXPECT_EQ(select(kRecord, "$['nested','id']"), R"({"id":15024,"nested":{"a":[{"k":-0}],"b":1}})");
  EXPECT_EQ(select(kRecord, "$.nested.['b','a']"), R"({"a":[{"k":-0}],"b":1})");
  EXPECT_EQ(select(kRecord, "$.nested.*"), R"([[{"k":-0}],1])");
  EXPECT_EQ(select(kRecord, "$.nested.a[*].k"), "[-0]");
  EXPECT_EQ(select("[]", "$[*]"), "[]");
}

TEST(SageMakerPath, TakesWhatIsMissingForAnError) {
  EXPECT_EQ(select(R"({"a":1})", "$.b"), "error: there is no member 'b'");
  EXPECT_EQ(select(R"({"a":1})", "$['a','b']"), "error: there is no member 'b'");
  EXPECT_EQ(select(R"({"a":1})", "$[0]"),
            "error: an index or a range needs an array, here is an object");
  EXPECT_EQ(select("[1]", "$.a"), "error: 'a' needs an object, here is an array");
  EXPECT_EQ(select("[1]", "$[1]"), "error: there is no element 1: the array has 1");
  EXPECT_EQ(select("\"x\"", "$.*"), "error: '*' needs an object or an array, here is a string");
  EXPECT_EQ(select("null", "$['a','b']"), "error: names need an object, here is null");
}

TEST(ExtendedPath, SkipsWhatIsMissingButHasAValueWhereOneIsAskedFor) {
  const auto mode = JsonPathMode::kExtended;
  EXPECT_EQ(select(R"({"a":1})", "$['a','b']", mode), R"({"a":1})");
  EXPECT_EQ(select("[1,2]", "$[0,7]", mode), "[1]");
  EXPECT_EQ(select(R"({"a_b":1})", "$.a_b", mode), "1");
  EXPECT_EQ(select(R"({"a":1})", "$.b", mode), "error: selects nothing of the record");
}

// A key is what it means, not how it is written: "\n" is no name of a backslash and an n.
TEST(ExtendedPath, TakesAnEscapeInAKeyForTheCharacterItStandsFor) {
  const auto mode = JsonPathMode::kExtended;
  EXPECT_EQ(select(R"({"\n":1,"\\n":2})", R"($['\\n'])", mode), "2");
  EXPECT_EQ(select(R"({"\n":1,"\\n":2})", R"($['\n'])", mode), "1");
  EXPECT_EQ(select(R"({"\u0061b":1})", "$.ab", mode), "1");
  EXPECT_EQ(select(R"({"\\n":2})", R"($['\n'])", mode), "error: selects nothing of the record");
}

// --- the compliance suite ---

json compliance_suite() {
  const char* set = std::getenv("MILLRACE_TEST_DATA");
  const std::filesystem::path root = set != nullptr
                                         ? std::filesystem::path(set)
                                         : std::filesystem::path(MILLRACE_SOURCE_DIR) / "../shared";
  for (const auto& folder : {root, root / "data"}) {
    std::ifstream file(folder / "conformance/jsonpath-cts/cts.json");
    if (file) return json::parse(file).at("tests");
  }
  return nullptr;
}

bool in_our_subset(const std::string& selector) {
  // Filters and functions begin with '?'; none of the suite's names has one, or two dots.
  return selector.find('?') == std::string::npos && selector.find("..") == std::string::npos;
}

json nodes_found(const JsonPath& path, const std::string& document) {
  JsonJoiner joiner;
  std::string canonical;
  EXPECT_TRUE(joiner.canonicalize(document, &canonical)) << document;
  std::vector<std::string_view> nodes;
  EXPECT_TRUE(JsonFilter(path).find(canonical, &nodes));
  json found = json::array();
  for (const std::string_view node : nodes) found.push_back(json::parse(node));
  return found;
}

TEST(ExtendedPath, PassesTheComplianceSuiteWithinItsSubsetAndRejectsTheRestWithPosition) {
  const json tests = compliance_suite();
  if (tests.is_null()) GTEST_SKIP() << "no compliance suite (MILLRACE_TEST_DATA)";
  size_t evaluated = 0;
  size_t rejected = 0;
  for (const json& test : tests) {
    SCOPED_TRACE(test.at("name").get<std::string>());
    const std::string selector = test.at("selector");
    const auto path = parse_json_path(selector, JsonPathMode::kExtended);
    if (test.contains("invalid_selector") || !in_our_subset(selector)) {
      ASSERT_FALSE(path) << selector;
      EXPECT_THAT(path.error().message, HasSubstr(": at byte "));
      ++rejected;
      continue;
    }
    ASSERT_TRUE(path) << path.error().message;
    const json found = nodes_found(*path, test.at("document").dump());
    const json allowed =
        test.contains("results") ? test.at("results") : json::array({test.at("result")});
    EXPECT_NE(std::find(allowed.begin(), allowed.end(), found), allowed.end()) << found;
    ++evaluated;
  }
  EXPECT_GE(evaluated, 150U);
  EXPECT_GE(rejected, 390U);
}

// --- a slow, obvious reference ---

void reference_step(const json& node, const JsonPathSelector& s, std::vector<json>* out) {
  if (s.kind == Kind::kName) {
    if (node.is_object() && node.contains(s.name)) out->push_back(node.at(s.name));
  } else if (s.kind == Kind::kWildcard) {
    if (node.is_structured())
      for (const json& child : node) out->push_back(child);
  } else if (node.is_array()) {
    // As Python's indexing and slicing would, one position after the other.
    const auto size = static_cast<int64_t>(node.size());
    const auto wrap = [&](int64_t i) { return i < 0 ? i + size : i; };
    if (s.kind == Kind::kIndex) {
      const int64_t i = wrap(s.index);
      if (i >= 0 && i < size) out->push_back(node.at(static_cast<size_t>(i)));
      return;
    }
    const int64_t start = s.start ? wrap(*s.start) : s.step > 0 ? 0 : size - 1;
    const int64_t end = s.end ? wrap(*s.end) + (s.end_included ? 1 : 0) : s.step > 0 ? size : -1;
    if (s.step > 0) {
      // Python moves a start before the first element to the first.
      for (int64_t i = std::max<int64_t>(start, 0); i < std::min(end, size); i += s.step) {
        out->push_back(node.at(static_cast<size_t>(i)));
      }
    } else if (s.step < 0) {
      for (int64_t i = std::min(start, size - 1); i > std::max<int64_t>(end, -1); i += s.step) {
        out->push_back(node.at(static_cast<size_t>(i)));
      }
    }
  }
}

json reference_nodes(const json& document, const JsonPath& path) {
  std::vector<json> nodes = {document};
  for (const JsonPathSegment& segment : path.segments) {
    std::vector<json> next;
    for (const json& node : nodes) {
      for (const JsonPathSelector& selector : segment) reference_step(node, selector, &next);
    }
    nodes = std::move(next);
  }
  json list = json::array();
  for (json& node : nodes) list.push_back(std::move(node));
  return list;
}

class RandomCase {
 public:
  json value(int depth) {
    const auto kind = random_() % (depth > 3 ? 4 : 7);
    if (kind == 0) return random_() % 100;
    if (kind == 1) return pick({"x", "a\"]}", "\\", "é,{", ""});
    if (kind == 2) return nullptr;
    if (kind == 3) return random_() % 2 == 0;
    json made = kind == 4 ? json::array() : json::object();
    for (auto count = random_() % 5; count > 0; --count) {
      if (kind == 4) {
        made.push_back(value(depth + 1));
      } else {
        made[name()] = value(depth + 1);
      }
    }
    return made;
  }

  std::string path() {
    std::string text = "$";
    for (auto steps = random_() % 4; steps > 0; --steps) {
      if (random_() % 4 == 0) {
        text += random_() % 2 == 0 ? ".*" : ".a";
        continue;
      }
      text += "[" + selector();
      while (random_() % 3 == 0) text += " , " + selector();
      text += "]";
    }
    return text;
  }

 private:
  std::string selector() {
    switch (random_() % 4) {
      case 0:
        return json(name()).dump();
      case 1:
        return number();
      case 2:
        return "*";
      default:
        return (random_() % 2 == 0 ? number() : "") + ":" + (random_() % 2 == 0 ? number() : "") +
               (random_() % 2 == 0 ? ":" + number() : "");
    }
  }
  std::string number() { return std::to_string(static_cast<int>(random_() % 11) - 5); }
  std::string name() { return pick({"a", "b", "\"", "a\\b", "é", "SageMakerOutput"}); }
  std::string pick(std::vector<const char*> choices) { return choices[random_() % choices.size()]; }

  std::mt19937 random_{29};
};

TEST(ExtendedPath, SelectsWhatASlowReferenceSelects) {
  RandomCase random;
  size_t selected = 0;
  for (int round = 0; round < 10000; ++round) {
    const json document = random.value(0);
    const std::string text = random.path();
    const auto path = parse_json_path(text, JsonPathMode::kExtended);
    ASSERT_TRUE(path) << path.error().message;
    const json expected = reference_nodes(document, *path);
    ASSERT_EQ(nodes_found(*path, document.dump()), expected) << text << " of " << document;
    selected += expected.size();
  }
  EXPECT_GT(selected, 3000U);
}

TEST(ExtendedPath, SelectsCsvFieldsAsTheReferenceSelectsElements) {
  RandomCase random;
  std::mt19937 choose(31);
  size_t compared = 0;
  for (int round = 0; round < 5000; ++round) {
    const auto path = parse_json_path(random.path(), JsonPathMode::kExtended);
    if (!path || path->segments.size() != 1) continue;
    const auto resolved = csv_path(*path, nullptr);
    if (!resolved) continue;
    std::string row;
    json fields = json::array();
    for (auto count = 1 + choose() % 5; count > 0; --count) {
      const char* field = std::vector<const char*>{"", "x", "a,b", "\"q\"", "1.50"}[choose() % 5];
      if (!fields.empty()) row += ',';
      append_csv_field(field, ',', &row);
      fields.push_back(field);
    }
    std::string out;
    const auto status = CsvFilter(*resolved, ',').select(row, &out);
    const json expected = reference_nodes(fields, *resolved);
    if (!status) continue;  // an index beyond the row, or nothing: refused
    ASSERT_EQ(json(parse_csv_record(out, ',').value()), expected) << path->text << " of " << row;
    ++compared;
  }
  EXPECT_GT(compared, 200U);
}

}  // namespace
}  // namespace millrace::record
