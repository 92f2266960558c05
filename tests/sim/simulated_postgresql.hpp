#pragma once

// A PostgreSQL server for simulations, which misbehaves at one message. It understands these statements:
//
//   SELECT $1         returns its parameter
//   SERIES $1         returns `series_rows` rows, each of about 1 KB, which begin with the parameter and their number
//   INSERT $1         records its parameter, once it is committed; a COMMIT fails if it begins with `refused_at_commit`
//   WAIT $1           runs until it is cancelled
//   SLOW $1           returns its parameter after 50 ms, unless it is cancelled
//   PAUSED $1         returns its parameter twice, 50 ms apart
//   FAIL $1           fails: a unique constraint is violated
//   BEGIN, COMMIT, ROLLBACK, and anything else, which does nothing

#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tare::testing {

/// What the server does when it is the turn of a message.
enum class misdeed : std::uint8_t {
  late,        ///< sends it 3 seconds later
  in_pieces,   ///< sends its first bytes one by one, one every 10 ms
  chatty,      ///< sends everything that a server may send at any time before it
  error,       ///< sends an error instead, and continues as after an error
  stale,       ///< the same, but says that the prepared statement does not exist
  hang,        ///< sends nothing any more
  end,         ///< closes the connection
  end_within,  ///< closes it after half of the message
  reset,       ///< resets it after half of the message
  garbage,     ///< sends a message of unknown type
  wrong_size,  ///< sends it with a length that no message has
  early,       ///< says before it that it is ready for the next statement
  twice,       ///< sends it twice, unless it is a row
};
inline constexpr std::array misdeed_names{"late",       "in_pieces", "chatty",  "error",      "stale", "hang", "end",
                                          "end_within", "reset",     "garbage", "wrong_size", "early", "twice"};

/// What the server does with requests to cancel a statement.
enum class cancel_manner : std::uint8_t { obeys, obeys_late, ignores, hangs, resets, talks };
inline constexpr std::size_t cancel_manners = 6;

class simulated_postgresql {
 public:
  static constexpr int series_rows = 20;
  static constexpr std::string_view refused_at_commit = "deferred ";
  [[nodiscard]] static std::string series_row(std::string_view name, int row);

  misdeed planned = misdeed::late;
  int at_message = 0;  ///< the message at which it happens, counted over all connections from 1; 0: never
  cancel_manner on_cancel = cancel_manner::obeys;
  std::uint32_t secret = 1;  ///< for the keys of its sessions

  int messages = 0;                      ///< whose turn has come
  int cancels = 0;                       ///< requests that have arrived
  int sessions = 0;                      ///< that have been logged in
  std::vector<std::string> stopped;      ///< the parameters of statements that were cancelled
  std::map<std::string, int> committed;  ///< how often each parameter was inserted
  bool listens = false;
  std::string broken;  ///< what a client sent that it must not send

  /// Serves the port 5432 of the caller's host until it is cancelled, or cannot accept.
  static task<> serve(std::shared_ptr<simulated_postgresql> self);

 private:
  struct session;

  static task<> serve_one(std::shared_ptr<simulated_postgresql> self, net::stream over);
  static task<> cancel(std::shared_ptr<simulated_postgresql> self, session& requester);
  task<> talk(session& with);
  task<bool> log_in(session& with);
  task<bool> respond(session& to, char kind, const std::string& body);
  task<bool> bind(session& to, const std::string& body);
  task<bool> describe(session& to);
  task<bool> execute(session& to);
  task<bool> pause(session& to);
  task<bool> wait(session& to, std::chrono::milliseconds longest);
  task<bool> synchronize(session& to);
  task<bool> run_script(session& to, const std::string& sql);
  /// Sends a message, or does what is planned at it. False: the session is over.
  task<bool> put(session& to, std::string sent);
  task<bool> misbehave(session& to, std::string instead_of);
  task<bool> fail(session& to, std::string_view code, std::string_view text);
  void commit(std::vector<std::string>& values);

  std::map<std::uint32_t, session*> living_;
  std::uint32_t last_process_ = 100;
};

}  // namespace tare::testing
