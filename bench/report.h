// Results of the microbenchmark as a file in google-benchmark's format.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sterna::bench {

struct Row {
  std::string name;
  size_t iterations;
  double median, best;  ///< Seconds.
  double macs, bytes;   ///< Per call.
};

/// False and a message if the file cannot be written.
bool write_json(const std::string& path, double min_time, size_t cold_mb, const std::vector<Row>& rows);

}  // namespace sterna::bench
