// StaticFiles answers requests with the files below a folder: types, dates, conditions, ranges, redirects and
// lists of folders.
//
// Threads:  one core, which waits while the disk is read: what is served should fit the page cache.
// Memory:   64 KiB for each answer, whatever the size of the file; a list of a folder takes its names.
// Methods:  each is answered as GET is, HEAD without a body. Conditions and ranges follow RFC 9110.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "http/root_folder.h"

namespace faas::http {

class StaticFiles final : public Handler {
 public:
  explicit StaticFiles(std::string folder, RootFolder::Links links = RootFolder::Links::that_stay)
      : root_(std::move(folder), links) {}

  Task<> serve(Exchange& exchange) override;
  /// The same for another path than the request's; both parts raw.
  Task<> answer(Exchange& exchange, std::string_view path, std::string_view query);
  /// Whether the folder is there. While it is not, everything is 404.
  [[nodiscard]] bool ready() { return root_.exists(); }

 private:
  Task<> answer_folder(Exchange& exchange, std::string name, Found folder);

  RootFolder root_;
};

}  // namespace faas::http
