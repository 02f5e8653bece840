// Everything of Sterna's C++ API.
#pragma once

#include "sterna/choice.h"
#include "sterna/cpu.h"
#include "sterna/gguf.h"
#include "sterna/matmul.h"
#include "sterna/model.h"
#include "sterna/options.h"
#include "sterna/point_cloud.h"
#include "sterna/selftest.h"
#include "sterna/session.h"
#include "sterna/status.h"
#include "sterna/threads.h"
#include "sterna/tokenizer.h"
