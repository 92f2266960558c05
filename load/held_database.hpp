#pragma once

// A database whose table can be locked, so that requests wait for it. It is a program that is started with a port in
// place of `{port}`, and prints lines
//
//   url=postgresql://tare@127.0.0.1:5433/postgres     for the server, which gets it as DATABASE_URL
//   path=/items/1                                     what to request from the server
//   body={"id":1}                                     what the body of the response must be
//   READY
//
// Then it serves HTTP on that port: GET /lock and GET /release get 200 when the table is locked, or no longer locked.
// On SIGTERM it stops the database, removes its files, and ends.

#include "base/error.hpp"
#include "measure/process/command.hpp"
#include "measure/process/listen.hpp"
#include "measure/process/process.hpp"

#include <tare/task.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tare::load {

class held_database {
 public:
  /// Blocks until the database runs.
  [[nodiscard]] static base::result<held_database> start(const measure::command& what,
                                                         std::chrono::nanoseconds time_limit,
                                                         measure::stop_signal stop);
  held_database(held_database&&) noexcept = default;
  held_database& operator=(held_database&&) = delete;
  held_database(const held_database&) = delete;
  held_database& operator=(const held_database&) = delete;
  /// Blocks until the program has ended, at most 10 seconds.
  ~held_database();

  [[nodiscard]] const std::string& url() const noexcept { return url_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const std::string& body() const noexcept { return body_; }

  [[nodiscard]] task<base::result<void>> lock() { return tell("/lock"); }
  [[nodiscard]] task<base::result<void>> release() { return tell("/release"); }

 private:
  held_database(measure::process program, std::string name, std::uint16_t port, std::chrono::nanoseconds time_limit);
  task<base::result<void>> tell(std::string_view what);
  /// Takes the values from what the program has printed.
  base::result<void> read(std::string_view printed);

  std::unique_ptr<measure::process> program_;  ///< null: moved from
  std::string name_;
  std::uint16_t port_;
  std::chrono::nanoseconds time_limit_;
  std::string url_;
  std::string path_;
  std::string body_;
};

}  // namespace tare::load
