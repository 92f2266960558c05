#include "sim/simulated_postgresql.hpp"

#include "sim/postgresql_messages.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <utility>

namespace tare::testing {

using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t protocol_version = 0x00030000;
constexpr std::uint32_t cancel_code = 80877102;
constexpr std::uint32_t tls_code = 80877103;
constexpr std::uint32_t gss_code = 80877104;

std::string everything_at_any_time() {
  return report_message('N', "NOTICE", "00000", "a notice") +
         message('S', with_nul("application_name") + with_nul("simulated")) +
         message('A', number(7) + with_nul("channel") + with_nul("payload"));
}

bool is_refused_at_commit(std::string_view value) { return value.starts_with(simulated_postgresql::refused_at_commit); }

task<> until_set(event& waited) { co_await waited.wait(); }

void reset_on_close(const net::stream& closing) {
  const linger abrupt{.l_onoff = 1, .l_linger = 0};
  (void)::setsockopt(closing.native_handle(), SOL_SOCKET, SO_LINGER, &abrupt, sizeof(abrupt));
}

}  // namespace

struct simulated_postgresql::session {
  session(simulated_postgresql& server, net::stream connected)
      : owner(server), over(std::move(connected)), process(++server.last_process_) {
    owner.living_[process] = this;
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session() { owner.living_.erase(process); }

  /// Empty at the end of the connection.
  task<std::string> receive(std::size_t size) {
    while (unread.size() < size) {
      auto got = co_await over.read();
      if (!got || got->empty()) co_return std::string();
      unread.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
    }
    std::string bytes = unread.substr(0, size);
    unread.erase(0, size);
    co_return bytes;
  }
  task<bool> flush() {
    const std::string sent = std::exchange(outgoing, {});
    if (sent.empty()) co_return true;
    const auto written = co_await over.write(std::as_bytes(std::span(sent)));
    co_return written.has_value();
  }
  [[nodiscard]] std::uint32_t key() const noexcept { return process * 7919 ^ owner.secret; }

  simulated_postgresql& owner;
  net::stream over;
  std::uint32_t process;
  std::string unread;
  std::string outgoing;
  std::map<std::string, std::string> statements;
  std::string sql;
  std::vector<std::string> bound;
  std::vector<std::string> uncommitted;
  char status = 'I';      ///< as in ReadyForQuery
  bool skipping = false;  ///< after an error, up to the next synchronization point
  bool is_logged_in = false;
  event cancelled;
};

std::string simulated_postgresql::series_row(std::string_view name, int row) {
  return std::string(name) + ' ' + std::to_string(row) + ' ' + std::string(1000, '.');
}

// --- connections ----------------------------------------------------------------------------------------------------

task<> simulated_postgresql::serve(std::shared_ptr<simulated_postgresql> self) {
  struct listening_now {
    explicit listening_now(bool& flag) : now(flag) { now = true; }
    listening_now(const listening_now&) = delete;
    listening_now& operator=(const listening_now&) = delete;
    ~listening_now() { now = false; }
    bool& now;
  };
  auto listening = net::listener::bind(net::endpoint::any(5432));
  if (!listening) co_return;
  const listening_now noted(self->listens);
  for (;;) {
    auto accepted = co_await listening->accept();
    if (!accepted) co_return;
    spawn(serve_one(self, std::move(*accepted)));
  }
}

task<> simulated_postgresql::serve_one(std::shared_ptr<simulated_postgresql> self, net::stream over) {
  session with(*self, std::move(over));
  for (;;) {
    const std::string head = co_await with.receive(8);
    if (head.empty()) co_return;
    message_reader reading(head);
    const std::uint32_t size = reading.take_number();
    const std::uint32_t code = reading.take_number();
    if (code == tls_code || code == gss_code) {
      const bool goes_on = co_await self->put(with, "N");
      if (!goes_on || !co_await with.flush() || with.skipping) co_return;
      continue;
    }
    if (code == cancel_code && size == 16) co_return co_await cancel(self, with);
    if (code != protocol_version || size > 10'000) {
      self->broken = "an unknown startup message";
      co_return;
    }
    (void)co_await with.receive(size - 8);
    co_return co_await self->talk(with);
  }
}

task<> simulated_postgresql::cancel(std::shared_ptr<simulated_postgresql> self, session& requester) {
  const std::string body = co_await requester.receive(8);
  if (body.empty()) co_return;
  message_reader reading(body);
  const std::uint32_t process = reading.take_number();
  const std::uint32_t key = reading.take_number();
  ++self->cancels;
  const cancel_manner manner = self->on_cancel;
  if (manner == cancel_manner::obeys_late) co_await sleep_for(700ms);
  if (manner == cancel_manner::obeys || manner == cancel_manner::obeys_late || manner == cancel_manner::talks) {
    const auto found = self->living_.find(process);
    // A request to a server that has been restarted since then is ignored.
    if (found != self->living_.end() && found->second->key() == key) found->second->cancelled.set();
  }
  if (manner == cancel_manner::hangs) co_await sleep_for(1h);
  if (manner == cancel_manner::resets) reset_on_close(requester.over);
  if (manner == cancel_manner::talks) {
    requester.outgoing = "what?";
    (void)co_await requester.flush();
  }
}

task<bool> simulated_postgresql::log_in(session& with) {
  const std::array<std::string, 5> all{
      message('R', number(0)),
      message('S', with_nul("server_version") + with_nul("15.0")),
      message('S', with_nul("client_encoding") + with_nul("UTF8")),
      message('K', number(with.process) + number(with.key())),
      message('Z', "I"),
  };
  for (const std::string& each : all) {
    const bool goes_on = co_await put(with, each);
    if (!goes_on) co_return false;
    if (with.skipping) {
      (void)co_await with.flush();  // an error during the login ends the connection
      co_return false;
    }
  }
  ++sessions;
  with.is_logged_in = true;
  co_return co_await with.flush();
}

task<> simulated_postgresql::talk(session& with) {
  if (!co_await log_in(with)) co_return;
  for (;;) {
    const std::string head = co_await with.receive(5);
    if (head.empty()) co_return;
    message_reader reading(std::string_view(head).substr(1));
    const std::uint32_t size = reading.take_number();
    if (size < 4 || size > 1'000'000) {
      broken = "a message of " + std::to_string(size) + " bytes";
      co_return;
    }
    std::string body;
    if (size > 4) {
      body = co_await with.receive(size - 4);
      if (body.empty()) co_return;
    }
    const bool goes_on = co_await respond(with, head[0], body);
    if (!goes_on) co_return;
  }
}

// --- statements -----------------------------------------------------------------------------------------------------

task<bool> simulated_postgresql::respond(session& to, char kind, const std::string& body) {
  if (kind == 'X') co_return false;
  if (kind == 'S') co_return co_await synchronize(to);
  if (kind == 'Q') co_return co_await run_script(to, body.substr(0, body.find('\0')));
  if (kind == 'H') co_return co_await to.flush();
  if (to.skipping) co_return true;
  switch (kind) {
    case 'P': {
      message_reader reading(body);
      const std::string name = reading.take_text();
      const bool goes_on = co_await put(to, message('1', ""));
      if (goes_on && !to.skipping) to.statements[name] = reading.take_text();
      co_return goes_on;
    }
    case 'B':
      co_return co_await bind(to, body);
    case 'D':
      co_return co_await describe(to);
    case 'E':
      co_return co_await execute(to);
    default:
      broken = std::string("a message of type ") + kind;
      co_return false;
  }
}

task<bool> simulated_postgresql::bind(session& to, const std::string& body) {
  bind_message bound(body);
  const auto found = to.statements.find(bound.statement);
  if (found == to.statements.end()) {
    broken = "a statement that has not been prepared: " + bound.statement;
    co_return co_await fail(to, "26000", "no such statement");
  }
  to.sql = found->second;
  to.bound = std::move(bound.values);
  if (to.status == 'E' && to.sql != "ROLLBACK" && to.sql != "COMMIT") {
    co_return co_await fail(to, "25P02", "the transaction is aborted");
  }
  co_return co_await put(to, message('2', ""));
}

task<bool> simulated_postgresql::describe(session& to) {
  const bool has_rows = to.sql.ends_with(" $1") && !to.sql.starts_with("INSERT");
  std::string described = has_rows ? row_description() : message('n', "");
  co_return co_await put(to, std::move(described));
}

task<bool> simulated_postgresql::execute(session& to) {
  std::string tag = to.sql.substr(0, to.sql.find(' '));
  if (tag == "WAIT" || tag == "SLOW") {
    const std::chrono::milliseconds time = tag == "WAIT" ? 1h : 50ms;
    const bool goes_on = co_await wait(to, time);
    if (!goes_on || to.skipping) co_return goes_on;
    tag = "SELECT";
  }
  if (tag == "PAUSED" && !co_await pause(to)) co_return false;
  if (to.skipping) co_return true;
  if (tag == "FAIL") co_return co_await fail(to, "23505", "it exists");
  if (tag == "COMMIT" && std::ranges::any_of(to.uncommitted, is_refused_at_commit)) {
    to.status = 'I';
    co_return co_await fail(to, "23505", "a deferred constraint is violated");
  }
  int rows = 0;
  if (to.sql == "SELECT $1" || to.sql == "SLOW $1" || tag == "PAUSED") rows = 1;
  if (tag == "SERIES") rows = series_rows;
  for (int i = 0; i < rows; ++i) {
    std::string row = rows == 1 ? data_row(to.bound.at(0)) : data_row(series_row(to.bound.at(0), i));
    const bool goes_on = co_await put(to, std::move(row));
    if (!goes_on || to.skipping) co_return goes_on;
  }
  if (tag == "SERIES" || tag == "PAUSED") tag = "SELECT";
  if (tag == "SELECT") tag += ' ' + std::to_string(rows);
  if (tag == "INSERT") tag += " 0 1";
  if (tag == "COMMIT" && to.status == 'E') tag = "ROLLBACK";
  const bool goes_on = co_await put(to, message('C', with_nul(tag)));
  if (!goes_on || to.skipping) co_return goes_on;
  if (tag.starts_with("INSERT")) to.uncommitted.push_back(to.bound.at(0));
  if (tag == "BEGIN") to.status = 'T';
  if (tag == "COMMIT") commit(to.uncommitted);
  if (tag == "ROLLBACK") to.uncommitted.clear();
  if (tag == "COMMIT" || tag == "ROLLBACK") to.status = 'I';
  co_return true;
}

task<bool> simulated_postgresql::pause(session& to) {
  const bool goes_on = co_await put(to, data_row(to.bound.at(0)));
  if (!goes_on || to.skipping) co_return goes_on;
  if (!co_await to.flush()) co_return false;
  co_await sleep_for(50ms);
  co_return true;
}

task<bool> simulated_postgresql::wait(session& to, std::chrono::milliseconds longest) {
  if (!co_await to.flush()) co_return false;
  to.cancelled.reset();  // what came earlier has found nothing to cancel
  const auto in_time = co_await tare::timeout(longest, until_set(to.cancelled));
  if (!in_time) co_return true;
  stopped.push_back(to.bound.at(0));
  co_return co_await fail(to, "57014", "canceling statement due to user request");
}

task<bool> simulated_postgresql::synchronize(session& to) {
  to.skipping = false;
  const bool fails = messages + 1 == at_message && (planned == misdeed::error || planned == misdeed::stale);
  if (to.status == 'I' && !fails) commit(to.uncommitted);
  const bool goes_on = co_await put(to, message('Z', std::string(1, to.status)));
  to.skipping = false;
  co_return goes_on&& co_await to.flush();
}

task<bool> simulated_postgresql::run_script(session& to, const std::string& sql) {
  for (std::size_t from = 0; from < sql.size();) {
    const std::size_t end = std::min(sql.find(';', from), sql.size());
    from = end + 1;
    const bool goes_on = co_await put(to, message('C', with_nul("SET")));
    if (!goes_on) co_return false;
    if (to.skipping) break;
  }
  co_return co_await synchronize(to);
}

void simulated_postgresql::commit(std::vector<std::string>& values) {
  for (const std::string& each : values) ++committed[each];
  values.clear();
}

// --- what it sends --------------------------------------------------------------------------------------------------

task<bool> simulated_postgresql::fail(session& to, std::string_view code, std::string_view text) {
  to.outgoing += report_message('E', "ERROR", code, text);
  to.skipping = true;
  to.uncommitted.clear();
  if (to.status == 'T') to.status = 'E';
  co_return true;
}

task<bool> simulated_postgresql::put(session& to, std::string sent) {
  if (++messages == at_message) co_return co_await misbehave(to, std::move(sent));
  to.outgoing += sent;
  co_return true;
}

task<bool> simulated_postgresql::misbehave(session& to, std::string instead_of) {
  const auto half = [&] { to.outgoing += instead_of.substr(0, instead_of.size() / 2); };
  switch (planned) {
    case misdeed::in_pieces:
      for (std::size_t i = 0; i < std::min<std::size_t>(instead_of.size(), 20); ++i) {
        to.outgoing += instead_of[i];
        if (!co_await to.flush()) co_return false;
        co_await sleep_for(10ms);
      }
      if (instead_of.size() > 20) to.outgoing += instead_of.substr(20);
      co_return true;
    case misdeed::chatty:
      // Nothing but an error may come before the first message.
      if (instead_of.front() != 'R') to.outgoing += everything_at_any_time();
      to.outgoing += instead_of;
      co_return true;
    case misdeed::late:
      if (!co_await to.flush()) co_return false;
      co_await sleep_for(3s);
      [[fallthrough]];
    case misdeed::error:
    case misdeed::stale: {
      const bool goes_on = co_await fail(to, planned == misdeed::stale ? "26000" : "XX000", "planned");
      // After the error of a synchronization point, the server is ready all the same.
      if (instead_of.front() == 'Z' && to.status != 'I') instead_of.back() = to.status;
      if (instead_of.front() == 'Z' && to.is_logged_in) to.outgoing += instead_of;
      co_return goes_on;
    }
    case misdeed::hang:
      if (!co_await to.flush()) co_return false;
      while (!(co_await to.receive(1)).empty()) to.unread.clear();
      co_return false;
    case misdeed::end_within:
      half();
      [[fallthrough]];
    case misdeed::end:
      (void)co_await to.flush();
      co_return false;
    case misdeed::reset:
      half();
      (void)co_await to.flush();
      reset_on_close(to.over);
      co_return false;
    case misdeed::garbage:
      to.outgoing += message('?', "garbage") + instead_of;
      co_return co_await to.flush();
    case misdeed::wrong_size:
      to.outgoing += instead_of.substr(0, 1) + number(3) + instead_of;
      co_return co_await to.flush();
    case misdeed::early:
      to.outgoing += message('Z', std::string(1, to.status)) + instead_of;
      co_return true;
    case misdeed::twice:
      to.outgoing += instead_of.front() == 'D' ? instead_of : instead_of + instead_of;
      co_return true;
  }
  std::unreachable();
}

}  // namespace tare::testing
