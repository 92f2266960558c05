#pragma once

#include <string_view>

namespace tare::cli {

/// One line on standard error that is overwritten while work continues; nothing if that is not a terminal.
class progress {
 public:
  progress();
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() { clear(); }

  void show(std::string_view line);
  void clear();

 private:
  bool terminal_;
  bool shown_ = false;
};

}  // namespace tare::cli
