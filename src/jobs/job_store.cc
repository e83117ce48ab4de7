// The job store on SQLite, through SQLiteCpp, whose exceptions end here.
#include "jobs/job_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/limits.h"

namespace millrace::jobs {
namespace {

using Write = std::function<void(SQLite::Database&)>;

// One entry for each version of the schema: what brings a file from the one before to it. Entries
// are never changed, only added.
constexpr const char* kMigrations[] = {
    R"(CREATE TABLE models (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         name TEXT NOT NULL,
         name_key TEXT NOT NULL UNIQUE,
         request TEXT NOT NULL,
         created_ms INTEGER NOT NULL);
       CREATE TABLE jobs (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         name TEXT NOT NULL,
         name_key TEXT NOT NULL UNIQUE,
         request TEXT NOT NULL,
         model_request TEXT NOT NULL,
         status TEXT NOT NULL,
         failure_reason TEXT NOT NULL,
         created_ms INTEGER NOT NULL,
         modified_ms INTEGER NOT NULL,
         started_ms INTEGER NOT NULL,
         ended_ms INTEGER NOT NULL,
         progress TEXT NOT NULL);
       CREATE TABLE tags (arn TEXT PRIMARY KEY, tags TEXT NOT NULL) WITHOUT ROWID;)",
    R"(CREATE TABLE events (
         number INTEGER PRIMARY KEY AUTOINCREMENT,
         id TEXT NOT NULL UNIQUE,
         json TEXT NOT NULL);)"};
constexpr int kSchemaVersion = static_cast<int>(std::size(kMigrations));

Error store_error(const SQLite::Exception& e) {
  const int code = e.getErrorCode();
  if (code == SQLITE_CONSTRAINT) return already_exists("the name is taken");
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
    return corruption(fmt::format("the job store: {}", e.what()));
  }
  return unavailable(fmt::format("the job store: {}", e.what()));
}

std::string tags_text(const Tags& tags) {
  nlohmann::json json = nlohmann::json::array();
  for (const Tag& tag : tags) json.push_back({tag.key, tag.value});
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Tags parse_tags(const std::string& text) {
  Tags tags;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  for (const auto& pair : json) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string()) {
      continue;
    }
    tags.push_back({pair[0].get<std::string>(), pair[1].get<std::string>()});
  }
  return tags;
}

std::string progress_text(const JobProgress& p) {
  return nlohmann::json{{"objects_total", p.objects_total},
                        {"objects_done", p.objects_done},
                        {"objects_failed", p.objects_failed},
                        {"records_done", p.records_done},
                        {"records_failed", p.records_failed},
                        {"records_total", p.records_total},
                        {"exact", p.records_total_exact},
                        {"bytes_done", p.bytes_done},
                        {"bytes_total", p.bytes_total},
                        {"seconds", p.seconds},
                        {"records_per_second", p.records_per_second}}
      .dump();
}

JobProgress parse_progress(const std::string& text) {
  JobProgress p;
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return p;
  const auto count = [&](const char* name, uint64_t* out) {
    const auto found = json.find(name);
    if (found != json.end() && found->is_number_unsigned()) *out = found->get<uint64_t>();
  };
  const auto real = [&](const char* name, double* out) {
    const auto found = json.find(name);
    if (found != json.end() && found->is_number()) *out = found->get<double>();
  };
  count("objects_total", &p.objects_total);
  count("objects_done", &p.objects_done);
  count("objects_failed", &p.objects_failed);
  count("records_done", &p.records_done);
  count("records_failed", &p.records_failed);
  count("records_total", &p.records_total);
  p.records_total_exact = json.contains("exact") && json["exact"] == true;
  count("bytes_done", &p.bytes_done);
  count("bytes_total", &p.bytes_total);
  real("seconds", &p.seconds);
  real("records_per_second", &p.records_per_second);
  return p;
}

void write_tags(SQLite::Database& db, const std::string& arn, const Tags& tags) {
  SQLite::Statement drop(db, "DELETE FROM tags WHERE arn = ?");
  drop.bind(1, arn);
  drop.exec();
  if (tags.empty()) return;
  SQLite::Statement put(db, "INSERT INTO tags VALUES (?, ?)");
  put.bind(1, arn);
  put.bind(2, tags_text(tags));
  put.exec();
}

void write_event(SQLite::Database& db, const JobEvent& event) {
  if (event.id.empty()) return;
  SQLite::Statement row(db, "INSERT OR IGNORE INTO events (id, json) VALUES (?, ?)");
  row.bind(1, event.id);
  row.bind(2, event.json);
  row.exec();
}

void delete_row(SQLite::Database& db, const char* table, int64_t id, const std::string& arn) {
  SQLite::Statement row(db, fmt::format("DELETE FROM {} WHERE id = ?", table));
  row.bind(1, id);
  row.exec();
  write_tags(db, arn, {});
}

void write_update(SQLite::Database& db, const StoredJob& job) {
  SQLite::Statement row(db,
                        "UPDATE jobs SET status = ?, failure_reason = ?, modified_ms = ?, "
                        "started_ms = ?, ended_ms = ?, progress = ? WHERE id = ?");
  row.bind(1, std::string(job_status_name(job.status)));
  row.bind(2, job.failure_reason);
  row.bind(3, job.modified_ms);
  row.bind(4, job.started_ms);
  row.bind(5, job.ended_ms);
  row.bind(6, progress_text(job.progress));
  row.bind(7, job.id);
  row.exec();
}

void migrate(SQLite::Database& db, int from) {
  for (int version = from; version < kSchemaVersion; ++version) {
    SQLite::Transaction step(db);
    db.exec(kMigrations[version]);
    db.exec(fmt::format("PRAGMA user_version = {}", version + 1));
    step.commit();
  }
}

void read_jobs(SQLite::Database& db, std::vector<StoredJob>* jobs) {
  SQLite::Statement rows(db,
                         "SELECT id, name, request, CASE WHEN ended_ms = 0 THEN model_request "
                         "ELSE '' END, status, failure_reason, created_ms, modified_ms, "
                         "started_ms, ended_ms, progress FROM jobs ORDER BY id");
  while (rows.executeStep()) {
    StoredJob job;
    job.id = rows.getColumn(0).getInt64();
    job.name = rows.getColumn(1).getString();
    job.request = rows.getColumn(2).getString();
    job.model_request = rows.getColumn(3).getString();
    job.status = parse_job_status(rows.getColumn(4).getString()).value_or(JobStatus::kFailed);
    job.failure_reason = rows.getColumn(5).getString();
    job.created_ms = rows.getColumn(6).getInt64();
    job.modified_ms = rows.getColumn(7).getInt64();
    job.started_ms = rows.getColumn(8).getInt64();
    job.ended_ms = rows.getColumn(9).getInt64();
    job.progress = parse_progress(rows.getColumn(10).getString());
    jobs->push_back(std::move(job));
  }
}

void read_contents(SQLite::Database& db, JobStore::Contents* contents) {
  SQLite::Statement models(db, "SELECT id, name, request, created_ms FROM models ORDER BY id");
  while (models.executeStep()) {
    contents->models.push_back({models.getColumn(0).getInt64(), models.getColumn(1).getString(),
                                models.getColumn(2).getString(), models.getColumn(3).getInt64()});
  }
  read_jobs(db, &contents->jobs);
  SQLite::Statement tags(db, "SELECT arn, tags FROM tags");
  while (tags.executeStep()) {
    contents->tags[tags.getColumn(0).getString()] = parse_tags(tags.getColumn(1).getString());
  }
  SQLite::Statement events(db, "SELECT id, json FROM events ORDER BY number");
  while (events.executeStep()) {
    contents->events.push_back({events.getColumn(0).getString(), events.getColumn(1).getString()});
  }
}

}  // namespace

std::string name_key(std::string_view name) {
  std::string key(name);
  for (char& c : key) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return key;
}

class JobStore::Impl {
 public:
  // Throws SQLite::Exception.
  Impl(const std::string& file, Contents* contents)
      : db_(file, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
    // Nobody else opens the file, so no shared memory is needed, and a checkpoint cannot meet a
    // reader. FULL: what is committed outlives a power cut.
    db_.exec("PRAGMA locking_mode = EXCLUSIVE");
    db_.exec("PRAGMA journal_mode = WAL");
    db_.exec("PRAGMA synchronous = FULL");
    version_ = db_.execAndGet("PRAGMA user_version").getInt();
    if (version_ > kSchemaVersion) return;
    migrate(db_, version_);
    read_contents(db_, contents);
    thread_ = std::thread([this] { work(); });
  }

  ~Impl() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  bool is_newer() const { return version_ > kSchemaVersion; }

  std::future<Status> queue(Write write) {
    Entry entry{std::move(write), {}};
    auto done = entry.done.get_future();
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(entry));
    }
    changed_.notify_one();
    return done;
  }

 private:
  struct Entry {
    Write write;
    std::promise<Status> done;
  };

  void work() {
    for (;;) {
      std::vector<Entry> group;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
        if (queue_.empty()) return;
        while (!queue_.empty() && group.size() < limits::kStoreGroupMax) {
          group.push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
      }
      commit(group);
    }
  }

  // All in one transaction; where that fails, each in its own, so that one bad write fails alone.
  void commit(std::vector<Entry>& group) {
    const auto all = [&](SQLite::Database& db) {
      for (Entry& entry : group) entry.write(db);
    };
    if (group.size() > 1 && transact(all)) {
      for (Entry& entry : group) entry.done.set_value({});
      return;
    }
    for (Entry& entry : group) entry.done.set_value(transact(entry.write));
  }

  Status transact(const Write& write) {
    try {
      SQLite::Transaction transaction(db_);
      write(db_);
      transaction.commit();
      return {};
    } catch (const SQLite::Exception& e) {
      return fail(store_error(e));
    }
  }

  SQLite::Database db_;
  int version_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> queue_;
  bool stop_ = false;
  std::thread thread_;
};

JobStore::JobStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JobStore::~JobStore() = default;

Result<std::unique_ptr<JobStore>> JobStore::open(const std::filesystem::path& file,
                                                 Contents* contents) {
  try {
    auto impl = std::make_unique<Impl>(file.string(), contents);
    if (impl->is_newer()) {
      return fail(invalid_argument("the job store " + file.string() +
                                   " was written by a newer version of Millrace"));
    }
    return std::unique_ptr<JobStore>(new JobStore(std::move(impl)));
  } catch (const SQLite::Exception& e) {
    return fail(store_error(e).within(file.string()));
  }
}

Result<int64_t> JobStore::insert_model(const StoredModel& model, std::string_view arn,
                                       const Tags& tags) {
  int64_t id = 0;
  const Status done =
      impl_
          ->queue([&](SQLite::Database& db) {
            SQLite::Statement row(db,
                                  "INSERT INTO models (name, name_key, request, created_ms) "
                                  "VALUES (?, ?, ?, ?)");
            row.bind(1, model.name);
            row.bind(2, name_key(model.name));
            row.bind(3, model.request);
            row.bind(4, model.created_ms);
            row.exec();
            id = db.getLastInsertRowid();
            write_tags(db, std::string(arn), tags);
          })
          .get();
  if (!done) return fail(done.error());
  return id;
}

Result<int64_t> JobStore::insert_job(const StoredJob& job, std::string_view arn, const Tags& tags,
                                     const JobEvent& event) {
  int64_t id = 0;
  const auto write = [&](SQLite::Database& db) {
    SQLite::Statement row(db,
                          "INSERT INTO jobs (name, name_key, request, model_request, status, "
                          "failure_reason, created_ms, modified_ms, started_ms, ended_ms, "
                          "progress) VALUES (?, ?, ?, ?, ?, '', ?, ?, 0, 0, '')");
    row.bind(1, job.name);
    row.bind(2, name_key(job.name));
    row.bind(3, job.request);
    row.bind(4, job.model_request);
    row.bind(5, std::string(job_status_name(job.status)));
    row.bind(6, job.created_ms);
    row.bind(7, job.modified_ms);
    row.exec();
    id = db.getLastInsertRowid();
    write_tags(db, std::string(arn), tags);
    write_event(db, event);
  };
  MR_TRY(impl_->queue(write).get());
  return id;
}

Status JobStore::delete_model(int64_t id, std::string_view arn) {
  return impl_->queue([&](SQLite::Database& db) { delete_row(db, "models", id, std::string(arn)); })
      .get();
}

Status JobStore::delete_job(int64_t id, std::string_view arn) {
  return impl_->queue([&](SQLite::Database& db) { delete_row(db, "jobs", id, std::string(arn)); })
      .get();
}

Status JobStore::update_job(const StoredJob& job, const JobEvent& event) {
  return impl_
      ->queue([&](SQLite::Database& db) {
        write_update(db, job);
        write_event(db, event);
      })
      .get();
}

void JobStore::note_job(const StoredJob& job) {
  impl_->queue([job](SQLite::Database& db) { write_update(db, job); });
}

void JobStore::forget_event(const std::string& id) {
  impl_->queue([id](SQLite::Database& db) {
    SQLite::Statement row(db, "DELETE FROM events WHERE id = ?");
    row.bind(1, id);
    row.exec();
  });
}

Status JobStore::put_tags(std::string_view arn, const Tags& tags) {
  return impl_->queue([&](SQLite::Database& db) { write_tags(db, std::string(arn), tags); }).get();
}

Result<std::string> JobStore::model_request_of(int64_t job) {
  std::string request;
  const auto read = [&](SQLite::Database& db) {
    SQLite::Statement row(db, "SELECT model_request FROM jobs WHERE id = ?");
    row.bind(1, job);
    if (row.executeStep()) request = row.getColumn(0).getString();
  };
  MR_TRY(impl_->queue(read).get());
  if (request.empty()) return fail(corruption("the job store holds no model for the job"));
  return request;
}

}  // namespace millrace::jobs
