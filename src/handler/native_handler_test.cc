// What goes in and what comes out, through the handler: the tables of the specification as tests.
#include "handler/native_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "handler/handler_fixture.h"
#include "handler/python_float.h"

namespace millrace::handler {
namespace {

using ::testing::AllOf;
using testing::answer;
using testing::ask;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using testing::request_of;
using testing::Settings;
using ::testing::StartsWith;
using testing::tiny_handler;
using testing::TinyModel;
using Json = nlohmann::ordered_json;

constexpr const char* kJson = "application/json";
constexpr const char* kLines = "application/jsonlines";

std::string keys_of(const Json& object) {
  std::string out;
  for (const auto& item : object.items()) out += (out.empty() ? "" : ",") + item.key();
  return out;
}

TEST(NativeReplies, JsonIsWhatHuggingFaceReturns) {
  const auto handler = tiny_handler();
  const std::string one = answer(*handler, kJson, R"({"inputs":"good"})");
  EXPECT_THAT(one, MatchesRegex(R"x(\[\{"label":"[A-Z]+","score":0\.[0-9]+\}\])x"));
  const std::string object = one.substr(1, one.size() - 2);
  EXPECT_EQ(answer(*handler, kJson, R"("good")"), one);
  EXPECT_EQ(answer(*handler, kJson, R"({"inputs":["good"]})"), one);
  EXPECT_EQ(answer(*handler, kJson, R"({"inputs":["good","good"]})"),
            "[" + object + "," + object + "]");
  EXPECT_EQ(answer(*handler, kJson, R"({"inputs":[]})"), "[]");
  EXPECT_EQ(answer(*handler, kJson, R"({"inputs":{"text":"good"}})"), object);
  EXPECT_NE(answer(*handler, kJson, R"({"inputs":{"text":"good","text_pair":"bad"}})"), object);
}

TEST(NativeReplies, TopKGivesListsByFallingScore) {
  const auto handler = tiny_handler();
  const auto ask_top = [&](const std::string& inputs, const std::string& k) {
    return answer(*handler, kJson,
                  R"({"inputs":)" + inputs + R"(,"parameters":{"top_k":)" + k + "}}");
  };
  const std::string one = answer(*handler, kJson, R"("good")");
  const std::string all = ask_top(R"("good")", "null");
  const Json list = Json::parse(all);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_GE(list[0]["score"].get<double>(), list[1]["score"].get<double>());
  EXPECT_NEAR(list[0]["score"].get<double>() + list[1]["score"].get<double>(), 1, 1e-6);
  EXPECT_EQ(ask_top(R"("good")", "1"), one);
  EXPECT_EQ(ask_top(R"("good")", "7"), all);
  EXPECT_EQ(ask_top(R"(["good","good"])", "null"), "[" + all + "," + all + "]");
  EXPECT_EQ(ask_top(R"({"text":"good"})", "1"), one);
}

TEST(NativeReplies, EchoedTextsStandBeforeTheirResults) {
  const auto plain = tiny_handler();
  const auto handler = tiny_handler({{"ECHO_INPUT", "1"}});
  const std::string bare = answer(*plain, kJson, R"("so \"good\"")");
  const std::string members = bare.substr(2);  // behind [{
  EXPECT_EQ(answer(*handler, kJson, R"("so \"good\"")"), R"([{"text":"so \"good\"",)" + members);
  const Json pair =
      Json::parse(answer(*handler, kJson, R"({"inputs":{"text":"a","text_pair":"b"}})"));
  EXPECT_EQ(keys_of(pair), "text,text_pair,label,score");
  EXPECT_EQ(pair["text_pair"], "b");
  const Json all =
      Json::parse(answer(*handler, kJson, R"({"inputs":["a","b"],"parameters":{"top_k":null}})"));
  EXPECT_EQ(all[1][0]["text"], "b");
  EXPECT_EQ(all[1][1]["text"], "b");
  EXPECT_EQ(answer(*handler, kJson, "null"), R"([{"text":null,"label":null,"score":null}])");
  EXPECT_EQ(answer(*handler, kJson, R"("good")", "text/csv"),
            "good," + answer(*plain, kJson, R"("good")", "text/csv"));
}

TEST(NativeReplies, EchoedTextsOfCsvAreFieldsAndOfBytesAreUtf8) {
  const auto plain = tiny_handler({{"TEXT_COLUMN", "1"}});
  const auto handler = tiny_handler({{"TEXT_COLUMN", "1"}, {"ECHO_INPUT", "true"}});
  const std::string row = "7,\"so, \"\"good\"\"\"";
  EXPECT_EQ(answer(*handler, "text/csv", row),
            R"("so, ""good""",)" + answer(*plain, "text/csv", row));
  const std::string broken = "7,go\xffod";
  EXPECT_EQ(answer(*handler, "text/csv", broken),
            "go\xEF\xBF\xBD"
            "od," +
                answer(*plain, "text/csv", broken));
  EXPECT_EQ(Json::parse(answer(*handler, "text/csv", broken, kJson))[0]["text"],
            "go\xEF\xBF\xBD"
            "od");
  EXPECT_EQ(answer(*handler, "text/csv", "7,"), ",,");  // an empty text, blank
}

TEST(NativeReplies, ARefusedRecordTakesItsEchoAlong) {
  const auto handler = tiny_handler({{"ECHO_INPUT", "1"}});
  const auto reply = ask(*handler, request_of(kLines, "\"one\"\n{\"inputs\":[\"x\",7]}\n\"two\""));
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->errors.size(), 1U);
  const size_t end = reply->body.find('\n');
  EXPECT_EQ(Json::parse(reply->body.substr(0, end))[0]["text"], "one");
  EXPECT_EQ(Json::parse(reply->body.substr(end + 1))[0]["text"], "two");
}

TEST(NativeReplies, EveryShapeCanEcho) {
  const auto keys = [](const std::string& output, const std::string& accept = "") {
    const auto handler = tiny_handler({{"ECHO_INPUT", "1"}, {"OUTPUT", output}});
    const std::string body = answer(*handler, kJson, R"("good")", accept);
    return accept.empty() ? keys_of(Json::parse(body)) : body.substr(0, 5);
  };
  EXPECT_EQ(keys("columns"), "text,predicted_label,predicted_score,score_NEGATIVE,score_POSITIVE");
  EXPECT_EQ(keys("logits"), "text,logit_NEGATIVE,logit_POSITIVE");
  EXPECT_EQ(keys("embedding"), "text,embedding");
  for (const char* output : {"columns", "logits", "embedding"}) {
    EXPECT_EQ(keys(output, "text/csv"), "good,") << output;
  }
  const auto embedding = tiny_handler({{"ECHO_INPUT", "1"}, {"OUTPUT", "embedding"}});
  EXPECT_EQ(answer(*embedding, kJson, "null"), R"({"text":null,"embedding":null})");
  EXPECT_EQ(embedding->traits().result_columns.front(), "text");
  EXPECT_NE(embedding->traits().identity,
            tiny_handler({{"OUTPUT", "embedding"}})->traits().identity);
}

TEST(NativeReplies, RepliesToSeveralRecordsAreLines) {
  const auto handler = tiny_handler();
  const std::string good = answer(*handler, kLines, R"("good")");
  const std::string bad = answer(*handler, kLines, R"("so bad")");
  const std::string both = answer(*handler, kLines, "\"good\"\n\"so bad\"");
  EXPECT_EQ(both, good + "\n" + bad);
  EXPECT_EQ(answer(*handler, "application/x-ndjson; charset=utf-8", "\"good\"\n\"so bad\""), both);
  EXPECT_EQ(answer(*handler, kJson, "\"good\"\n\"so bad\""), both);
}

TEST(NativeReplies, RecordsOfTheReplyAreWhereTheyAreSaidToBe) {
  const auto handler = tiny_handler();
  const auto reply = ask(*handler, request_of(kLines, "\"good\"\n\"x\"\n{}\n\"bad\""));
  ASSERT_TRUE(reply);
  ASSERT_EQ(reply->records.size(), 4U);
  std::vector<std::string> lines;
  for (const RecordSpan& span : reply->records) {
    lines.push_back(reply->body.substr(span.offset, span.length));
  }
  EXPECT_EQ(lines[0] + "\n" + lines[1] + "\n" + lines[3], reply->body);
  EXPECT_EQ(lines[2], "");
  EXPECT_EQ(lines[3], answer(*handler, kLines, "\"bad\""));
  ASSERT_EQ(reply->errors.size(), 1U);
  EXPECT_EQ(reply->errors[0].record, 2U);
  EXPECT_THAT(reply->errors[0].message, HasSubstr("no \"inputs\""));
  EXPECT_EQ(reply->counts.rows, 3U);
}

TEST(NativeReplies, AcceptChoosesTheForm) {
  const auto handler = tiny_handler();
  const auto type_for = [&](const std::string& content_type, const std::string& accept) {
    const auto reply = ask(*handler, request_of(content_type, "\"good\"", accept));
    return reply ? reply->content_type : "error: " + reply.error().message;
  };
  EXPECT_EQ(type_for(kJson, ""), kJson);
  EXPECT_EQ(type_for(kLines, "*/*"), kLines);
  EXPECT_EQ(type_for("application/x-ndjson", ""), kLines);
  EXPECT_EQ(type_for("text/csv", ""), "text/csv");
  EXPECT_EQ(type_for("text/plain", ""), "text/csv");
  EXPECT_EQ(type_for("text/csv", "application/json;charset=utf-8"), kJson);
  EXPECT_EQ(type_for(kJson, "image/png, text/csv;q=0.5"), "text/csv");
  EXPECT_THAT(type_for(kJson, "image/png"), AllOf(HasSubstr("Accept 'image/png'"),
                                                  HasSubstr("application/jsonlines or text/csv")));
  EXPECT_THAT(type_for("", ""), HasSubstr("no Content-Type is given"));
  EXPECT_EQ(type_for("text/plain;Charset=\"UTF-8\"; format=flowed", ""), "text/csv");
  EXPECT_EQ(type_for("text/plain; format=flowed;charset=us-ascii", ""), "text/csv");
  for (const char* const other : {"text/csv; charset=iso-8859-1", "application/json;CHARSET=utf-16",
                                  "text/plain; a=b; charset=\"windows-1252\""}) {
    EXPECT_THAT(type_for(other, ""), AllOf(HasSubstr(other), HasSubstr("--encoding"))) << other;
  }
  EXPECT_THAT(type_for("image/png", ""),
              AllOf(HasSubstr("Content-Type 'image/png'"), HasSubstr("text/plain")));
}

TEST(NativeReplies, CsvIsLabelAndScore) {
  const auto handler = tiny_handler();
  const Json one = Json::parse(answer(*handler, kJson, R"("good")"))[0];
  std::string score;
  append_python_float(one["score"].get<double>(), &score);
  const std::string row = one["label"].get<std::string>() + "," + score;
  EXPECT_EQ(answer(*handler, "text/csv", "good"), row);
  EXPECT_EQ(answer(*handler, "text/csv", "\"good\"\ngood"), row + "\n" + row);
  EXPECT_EQ(answer(*handler, "text/plain", "good"), row);
  EXPECT_EQ(answer(*handler, kLines, R"({"inputs":["good","good"]})", "text/csv"),
            row + "\n" + row);
  EXPECT_THAT(handler->traits().result_columns, ElementsAre("predicted_label", "predicted_score"));
}

TEST(NativeReplies, LabelsAreQuotedWhereTheyMustBe) {
  const auto handler =
      tiny_handler({{"LABELS", R"({"NEGATIVE":"a, \"é\"","POSITIVE":"b, \"é\""})"}});
  EXPECT_THAT(answer(*handler, "text/csv", "good"), MatchesRegex("\"[ab], \"\"é\"\"\",0\\.[0-9]+"));
  EXPECT_THAT(answer(*handler, kJson, "\"good\""),
              MatchesRegex(R"(\[\{"label":"[ab], \\"é\\"","score":0\.[0-9]+\}\])"));
}

TEST(NativeReplies, ScoreDigitsRound) {
  const auto handler = tiny_handler({{"SCORE_DIGITS", "3"}});
  EXPECT_THAT(answer(*handler, kJson, "\"good\""), MatchesRegex(R"(.*"score":0\.[0-9]{1,3}\}\])"));
}

TEST(NativeReplies, FunctionToApplyIsTheRecords) {
  const auto handler = tiny_handler();
  const auto scores = [&](const std::string& function) {
    std::vector<double> out;
    for (const auto& entry : Json::parse(answer(*handler, kJson,
                                                R"({"inputs":"good","parameters":{"top_k":null,)"
                                                R"("function_to_apply":")" +
                                                    function + "\"}}"))) {
      out.push_back(entry["score"].get<double>());
    }
    return out;
  };
  const auto logits = scores("none");
  const auto sigmoid = scores("sigmoid");
  for (size_t i = 0; i < 2; ++i) EXPECT_NEAR(sigmoid[i], 1 / (1 + std::exp(-logits[i])), 1e-6);
  EXPECT_NEAR(scores("softmax")[0], 1 / (1 + std::exp(logits[1] - logits[0])), 1e-6);
}

TEST(NativeReplies, MultiLabelModelsScoreEachLabelAlone) {
  const auto handler = tiny_handler({{"OUTPUT", "columns"}}, 1, {.multi_label = true});
  const auto softmax = tiny_handler({{"OUTPUT", "columns"}}, 1);
  const Json row = Json::parse(answer(*handler, kLines, "\"good\""));
  const double sum = row["score_NEGATIVE"].get<double>() + row["score_POSITIVE"].get<double>();
  EXPECT_GT(std::abs(sum - 1), 1e-4);
}

TEST(NativeOutputs, ColumnsAreFlatAndInIdOrder) {
  const auto handler = tiny_handler({{"OUTPUT", "columns"}, {"RESULT_PREFIX", "ml_"}});
  EXPECT_THAT(handler->traits().result_columns,
              ElementsAre("ml_label", "ml_score", "score_NEGATIVE", "score_POSITIVE"));
  const std::string body = R"({"inputs":"good","parameters":{"top_k":1}})";
  const Json row = Json::parse(answer(*handler, kLines, body));
  EXPECT_EQ(keys_of(row), "ml_label,ml_score,score_NEGATIVE,score_POSITIVE");
  EXPECT_EQ(row["ml_score"], row["score_" + row["ml_label"].get<std::string>()]);
  std::string csv = row["ml_label"].get<std::string>();
  for (const char* key : {"ml_score", "score_NEGATIVE", "score_POSITIVE"}) {
    append_python_float(row[key].get<double>(), &csv.append(","));
  }
  EXPECT_EQ(answer(*handler, kLines, body, "text/csv"), csv);
  EXPECT_THAT(answer(*handler, kLines, R"({"inputs":["a","b"]})"), StartsWith("[{\"ml_label\""));
}

TEST(NativeOutputs, LogitsAndEmbeddings) {
  const auto logits = tiny_handler({{"OUTPUT", "logits"}});
  EXPECT_THAT(logits->traits().result_columns, ElementsAre("logit_NEGATIVE", "logit_POSITIVE"));
  EXPECT_EQ(keys_of(Json::parse(answer(*logits, kLines, "\"good\""))),
            "logit_NEGATIVE,logit_POSITIVE");
  EXPECT_THAT(answer(*logits, "text/csv", "good"), MatchesRegex("-?[0-9.e-]+,-?[0-9.e-]+"));

  const auto embedding = tiny_handler({{"OUTPUT", "embedding"}});
  const size_t hidden = testing::tiny_model()->info().hidden_size;
  EXPECT_EQ(embedding->traits().result_columns.size(), hidden);
  EXPECT_EQ(embedding->traits().result_columns.back(), "e" + std::to_string(hidden - 1));
  const Json vector = Json::parse(answer(*embedding, kLines, "\"good\""));
  EXPECT_EQ(vector.size(), hidden);
  EXPECT_TRUE(vector[0].is_number_float());
  EXPECT_EQ(Json::parse(answer(*embedding, kLines, R"({"inputs":["good","x"]})"))[0], vector);
}

TEST(NativeOutputs, BlankRowsHaveTheSameShapeWithoutValues) {
  const std::string body = "null";
  EXPECT_EQ(answer(*tiny_handler(), kLines, body), R"([{"label":null,"score":null}])");
  EXPECT_EQ(answer(*tiny_handler(), "text/csv", "\"\""), ",");
  EXPECT_EQ(answer(*tiny_handler({{"OUTPUT", "columns"}}), kLines, body),
            R"({"predicted_label":null,"predicted_score":null,)"
            R"("score_NEGATIVE":null,"score_POSITIVE":null})");
  EXPECT_EQ(answer(*tiny_handler({{"OUTPUT", "columns"}}), "text/csv", "\"\""), ",,,");
  EXPECT_EQ(answer(*tiny_handler({{"OUTPUT", "logits"}}), kLines, body),
            R"({"logit_NEGATIVE":null,"logit_POSITIVE":null})");
  EXPECT_EQ(answer(*tiny_handler({{"OUTPUT", "embedding"}}), kLines, body), "null");
}

TEST(NativeEmptyText, DefaultsAreClassifyForJsonAndBlankForCsvTextAndNull) {
  const auto handler = tiny_handler();
  EXPECT_THAT(answer(*handler, kLines, R"({"inputs":""})"), HasSubstr("\"score\":0."));
  EXPECT_EQ(answer(*handler, kLines, R"({"inputs":["",null]})").find("null"),
            answer(*handler, kLines, R"({"inputs":["",""]})").rfind("\"label\":") + 8);
  EXPECT_EQ(answer(*handler, "text/plain", "  "), ",");
  const auto reply = ask(*handler, request_of(kLines, "\"\"\nnull\n\"x\""));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->counts.empty, 2U);
}

TEST(NativeEmptyText, CanBeChosen) {
  const Settings otherwise = {{"EMPTY", "otherwise"}, {"OTHERWISE", "NONE"}};
  EXPECT_EQ(answer(*tiny_handler(otherwise), kLines, "\"\""), R"([{"label":"NONE","score":null}])");
  EXPECT_EQ(answer(*tiny_handler(otherwise), "text/csv", "\"\""), "NONE,");
  EXPECT_EQ(answer(*tiny_handler({{"EMPTY", "blank"}}), kLines, "\"\""),
            R"([{"label":null,"score":null}])");
  EXPECT_THAT(answer(*tiny_handler({{"EMPTY", "error"}}), kLines, "\"a\"\n\" \""),
              "error 1: the text is empty, and --empty (MILLRACE_EMPTY) is error");
  EXPECT_EQ(answer(*tiny_handler({{"EMPTY", "classify"}}), "text/csv", "\"\""),
            answer(*tiny_handler(), kLines, "\"\"", "text/csv"));
}

TEST(NativeEmptyText, EmptyAfterCleaningIsEmpty) {
  const auto handler = tiny_handler({{"CLEAN", "html"}, {"EMPTY", "blank"}});
  const auto reply = ask(*handler, request_of(kLines, "\"<br>\"\n\"<b>a</b>\"\n\"a\""));
  ASSERT_TRUE(reply);
  EXPECT_THAT(reply->body, StartsWith(R"([{"label":null,"score":null}])"));
  EXPECT_EQ(reply->counts.empty, 1U);
  EXPECT_EQ(reply->counts.cleaned[static_cast<size_t>(CleanStep::kHtml)], 2U);
}

TEST(NativeCsv, TheTextColumnIsFoundByIndex) {
  const auto handler = tiny_handler({{"TEXT_COLUMN", "1"}});
  const std::string good = answer(*tiny_handler(), "text/csv", "good");
  EXPECT_EQ(answer(*handler, "text/csv", "5,good,x\n4,\"good\""), good + "\n" + good);
  EXPECT_THAT(answer(*handler, "text/csv", "5,good\nonly"),
              AllOf(StartsWith("error 1:"), HasSubstr("no column 1"), HasSubstr("0: 'only'")));
  InvokeRequest resolved = request_of("text/csv", "good,5");
  resolved.text_column = 0;
  EXPECT_EQ(ask(*handler, std::move(resolved))->body, good);
}

TEST(NativeCsv, SeveralColumnsWithoutATextColumnAreRefusedWithFieldsAndSetting) {
  const auto handler = tiny_handler();
  EXPECT_THAT(
      answer(*handler, "text/csv", "id7,\"Great, really\",5"),
      AllOf(StartsWith("error 0:"), HasSubstr("3 columns"),
            HasSubstr("0: 'id7', 1: 'Great, really', 2: '5'"), HasSubstr("MILLRACE_TEXT_COLUMN")));
}

TEST(NativeCsv, ANameNeedsAHeader) {
  const auto handler = tiny_handler({{"TEXT_COLUMN", "review"}});
  EXPECT_THAT(answer(*handler, "text/csv", "a,b"),
              AllOf(StartsWith("error: --text-column (MILLRACE_TEXT_COLUMN) is the name 'review'"),
                    HasSubstr("--csv-header")));
  EXPECT_THAT(answer(*handler, kLines, R"({"review":"good"})"), StartsWith("[{"));
}

TEST(NativeCsv, AnUnbalancedQuoteNamesRfc4180) {
  EXPECT_THAT(answer(*tiny_handler(), "text/csv", "fine\n\"open"),
              AllOf(StartsWith("error 1:"), HasSubstr("rfc4180")));
}

TEST(NativeCsv, AWholeObjectIsAnsweredRowByRowInOneRecord) {
  const auto handler = tiny_handler();
  const std::string good = answer(*handler, "text/csv", "good");
  const auto reply =
      ask(*handler, request_of("text/csv", "\xEF\xBB\xBFgood\r\n\n\"good\"\n", "", false));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->body, good + "\n" + good);
  EXPECT_THAT(reply->records,
              ElementsAre(RecordSpan{0, static_cast<uint32_t>(reply->body.size())}));
  const auto failed = ask(*handler, request_of("text/csv", "good\na,b\ngood\n", "", false));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->body, "");
  ASSERT_EQ(failed->errors.size(), 1U);
  EXPECT_THAT(failed->errors[0].message, StartsWith("line or document 2: "));
}

TEST(NativeCsv, TheDelimiterIsTheRequests) {
  const auto handler = tiny_handler({{"TEXT_COLUMN", "1"}});
  InvokeRequest request = request_of("text/csv", "5\tgood, really");
  request.csv_delimiter = '\t';
  EXPECT_THAT(ask(*handler, std::move(request))->body, MatchesRegex("[A-Z]+\t0\\.[0-9]+"));
}

TEST(NativeUtf8, IsReplacedInCsvAndRefusedInJsonUnlessSet) {
  const auto handler = tiny_handler();
  const auto reply = ask(*handler, request_of("text/csv", "g\xFFod\ngood"));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->counts.invalid_utf8, 1U);
  EXPECT_TRUE(reply->errors.empty());
  EXPECT_THAT(answer(*handler, kLines, "\"g\xFFod\""), HasSubstr("invalid JSON at byte 2: "));
  EXPECT_THAT(answer(*tiny_handler({{"INVALID_UTF8", "error"}}), "text/csv", "g\xFFod"),
              AllOf(StartsWith("error 0:"), HasSubstr("byte 1 of the text is not UTF-8")));
  EXPECT_EQ(answer(*tiny_handler({{"INVALID_UTF8", "replace"}}), kLines, "\"g\xFFod\""),
            answer(*handler, kLines, "\"g\uFFFDod\""));
}

TEST(NativeThresholds, DecideTheLabelAndExcludeTopK) {
  const auto early = tiny_handler({{"THRESHOLDS", R"({"NEGATIVE":0.0})"}});
  EXPECT_THAT(answer(*early, kLines, "\"good\""), HasSubstr("NEGATIVE"));
  const auto never =
      tiny_handler({{"THRESHOLDS", R"({"NEGATIVE":1,"POSITIVE":1})"}, {"OTHERWISE", "NEUTRAL"}});
  const std::string top = answer(*tiny_handler(), kLines, "\"good\"");
  EXPECT_EQ(answer(*never, kLines, "\"good\""),
            R"([{"label":"NEUTRAL",)" + top.substr(top.find("\"score\"")));
  EXPECT_THAT(answer(*early, kLines, R"({"inputs":"a","parameters":{"top_k":1}})"),
              HasSubstr("--thresholds (MILLRACE_THRESHOLDS) exclude each other"));
  EXPECT_THAT(answer(*early, kLines, R"({"inputs":"a","parameters":{"function_to_apply":"none"}})"),
              HasSubstr("needs probabilities"));
  const auto columns = tiny_handler({{"THRESHOLDS", R"({"NEGATIVE":0.0})"}, {"OUTPUT", "columns"}});
  const Json row = Json::parse(answer(*columns, kLines, "\"good\""));
  EXPECT_EQ(row["predicted_label"], "NEGATIVE");
  EXPECT_EQ(row["predicted_score"], row["score_NEGATIVE"]);
}

TEST(NativeCounts, TruncatedAndForeignTextsAreCounted) {
  const auto handler = tiny_handler();
  std::string many;
  for (int i = 0; i < 100; ++i) many += "a ";
  const std::string body = "\"" + many + "\"\n\"Очень плохо\"\n\"ok\"";
  const auto reply = ask(*handler, request_of(kLines, body));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->counts.rows, 3U);
  EXPECT_EQ(reply->counts.truncated, 1U);
  EXPECT_EQ(reply->counts.not_model_language, 1U);
}

TEST(NativeCounts, MaxLengthTruncatesAsAsked) {
  const auto handler = tiny_handler();
  const auto with = [&](const std::string& parameters) {
    return answer(*handler, kLines, R"({"inputs":"a b c d","parameters":)" + parameters + "}");
  };
  EXPECT_EQ(with(R"({"max_length":4})"), answer(*handler, kLines, "\"a b\""));
  EXPECT_EQ(with(R"({"max_length":4,"truncation":false})"),
            answer(*handler, kLines, "\"a b c d\""));
  EXPECT_THAT(answer(*handler, kLines,
                     R"({"inputs":{"text":"a","text_pair":"b"},)"
                     R"("parameters":{"max_length":2}})"),
              HasSubstr("a pair of texts needs at least 3"));
}

TEST(NativeHandler, StatesWhatTheDataPathMustKnow) {
  const auto plain = tiny_handler();
  EXPECT_TRUE(plain->traits().reads_records_alone);
  EXPECT_THAT(plain->traits().identity,
              StartsWith(testing::tiny_model()->info().numeric_identity + "/"));
  EXPECT_EQ(plain->traits().identity, tiny_handler({}, 1)->traits().identity);
  for (const Settings& settings : {Settings{{"OUTPUT", "columns"}}, Settings{{"SCORE_DIGITS", "4"}},
                                   Settings{{"CLEAN", "nfc"}}, Settings{{"TEXT_COLUMN", "x"}},
                                   Settings{{"THRESHOLDS", R"({"NEGATIVE":0.3})"}}}) {
    EXPECT_NE(plain->traits().identity, tiny_handler(settings)->traits().identity);
  }
}

TEST(NativeHandler, ARequestWithoutRecordsIsAnsweredEmpty) {
  InvokeRequest request;
  request.content_type = kLines;
  const auto reply = ask(*tiny_handler(), std::move(request));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->body, "");
  EXPECT_TRUE(reply->records.empty());
}

TEST(NativeHandler, CutsABodyItselfWhereNobodyDid) {
  const auto handler = tiny_handler();
  InvokeRequest request = request_of(kLines, "\"a\"\n\"b\"\n");
  request.records.clear();
  const auto reply = ask(*handler, std::move(request));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->records.size(), 2U);
}

}  // namespace
}  // namespace millrace::handler
