// The kernels on floats for arm64.
#include "nn/isa_kernels.h"
#include "nn/vector_attention.h"
#include "nn/vector_linear.h"
#include "nn/vector_neon.h"
#include "nn/vector_rows.h"

namespace millrace::nn {

const IsaKernels kNeonKernels = {linear<Neon>,   attention<Neon>, add_layer_norm<Neon>,
                                 activate<Neon>, softmax<Neon>,   sigmoid_all<Neon>};

}  // namespace millrace::nn
