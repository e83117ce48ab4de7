// The shapes of the requests to CloudWatch Logs that are answered here.
#include "server/api_patterns.h"
#include "server/shape_builders.h"

namespace millrace::server {
namespace {

constexpr Shape kBoolean = number(ShapeKind::kBoolean);
constexpr Shape kGroup = text(1, 512, kLogGroupPattern, matches_log_group);
constexpr Shape kGroupId = text(1, 2048, kLogGroupIdPattern, matches_log_group_id);
constexpr Shape kStream = text(1, 512, kLogStreamPattern, matches_log_stream);
constexpr Shape kToken = text(1, -1);
constexpr Shape kTime = number(ShapeKind::kLong, 0);
constexpr Shape kStreamsMax = number(ShapeKind::kInteger, 1, 50);
constexpr Shape kEventsMax = number(ShapeKind::kInteger, 1, 10000);
constexpr std::string_view kOrders[] = {"LogStreamName", "LastEventTime"};
constexpr Shape kOrder = one_of(kOrders);
constexpr Shape kStreams = list_of(kStream, 1, 100);
constexpr Shape kFilter = text(0, 1024);

constexpr ShapeMember kDescribeMembers[] = {
    {"logGroupName", &kGroup}, {"logGroupIdentifier", &kGroupId}, {"logStreamNamePrefix", &kStream},
    {"orderBy", &kOrder},      {"descending", &kBoolean},         {"nextToken", &kToken},
    {"limit", &kStreamsMax}};
constexpr Shape kDescribe = structure(kDescribeMembers);

constexpr ShapeMember kGetMembers[] = {{"logGroupName", &kGroup},
                                       {"logGroupIdentifier", &kGroupId},
                                       {"logStreamName", &kStream, true},
                                       {"startTime", &kTime},
                                       {"endTime", &kTime},
                                       {"nextToken", &kToken},
                                       {"limit", &kEventsMax},
                                       {"startFromHead", &kBoolean},
                                       {"unmask", &kBoolean}};
constexpr Shape kGet = structure(kGetMembers);

constexpr ShapeMember kFilterMembers[] = {
    {"logGroupName", &kGroup},     {"logGroupIdentifier", &kGroupId},
    {"logStreamNames", &kStreams}, {"logStreamNamePrefix", &kStream},
    {"startTime", &kTime},         {"endTime", &kTime},
    {"filterPattern", &kFilter},   {"nextToken", &kToken},
    {"limit", &kEventsMax},        {"startFromHead", &kBoolean},
    {"interleaved", &kBoolean},    {"unmask", &kBoolean}};
constexpr Shape kFilterEvents = structure(kFilterMembers);

constexpr Operation kLogs[] = {{"DescribeLogStreams", &kDescribe},
                               {"GetLogEvents", &kGet},
                               {"FilterLogEvents", &kFilterEvents}};

}  // namespace

std::span<const Operation> logs_operations() {
  return kLogs;
}

}  // namespace millrace::server
