#pragma once

// A PostgreSQL server for one test: in a temporary folder, reachable through a Unix socket and a free port on loopback,
// and stopped when the object is destroyed.

#include "support/temporary_folder.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace support {

class postgresql_server {
 public:
  /// Creates the folder; the server is not running yet. Throws std::runtime_error.
  postgresql_server();
  postgresql_server(const postgresql_server&) = delete;
  postgresql_server& operator=(const postgresql_server&) = delete;
  ~postgresql_server();

  /// Returns when the server accepts connections.
  void start();
  /// Ends connections and transactions in an orderly way.
  void stop() { end_by(2); }  // SIGINT
  /// As if it had crashed; the next start recovers.
  void crash() { end_by(3); }  // SIGQUIT
  [[nodiscard]] bool runs() const { return pid_ > 0; }

  /// Creates an empty database and returns its URI, through the Unix socket.
  [[nodiscard]] std::string make_database();
  /// The URI of a database, through TCP.
  [[nodiscard]] std::string tcp_uri(const std::string& database) const;

  /// Where Debian installs it.
  static constexpr const char* programs = "/usr/lib/postgresql/15/bin";

 private:
  [[nodiscard]] std::vector<std::string> as_its_user(const std::string& program) const;
  [[nodiscard]] std::string uri(const std::string& database) const;
  void end_by(int signal);

  temporary_folder folder_;
  int port_ = 0;
  pid_t pid_ = -1;
  /// The server must end if this process is killed. The kernel ties this to the thread that started it, so that thread
  /// is kept.
  std::jthread starter_;
  int databases_ = 0;
};

}  // namespace support
