/* cuDNN 9 and 8, libcudnn: whole recurrent layers through the interface of version 8, and convolutions. */
#ifndef GATUN_CUDNN_LAYERS_H
#define GATUN_CUDNN_LAYERS_H

#include "gatun.h"

GATUN_TYPE(int, cudnnStatus_t);
GATUN_TYPE(int, cudnnDataType_t);
GATUN_TYPE(int, cudnnMathType_t);
GATUN_TYPE(int, cudnnRNNAlgo_t);
GATUN_TYPE(int, cudnnRNNMode_t);
GATUN_TYPE(int, cudnnRNNBiasMode_t);
GATUN_TYPE(int, cudnnDirectionMode_t);
GATUN_TYPE(int, cudnnRNNInputMode_t);
GATUN_TYPE(int, cudnnRNNDataLayout_t);
GATUN_TYPE(int, cudnnForwardMode_t);
GATUN_TYPE(int, cudnnWgradMode_t);
GATUN_TYPE(int, cudnnTensorFormat_t);
GATUN_TYPE(int, cudnnConvolutionMode_t);
GATUN_TYPE(int, cudnnConvolutionFwdAlgo_t);
GATUN_TYPE(void *, cudnnHandle_t);
GATUN_TYPE(void *, cudnnTensorDescriptor_t);
GATUN_TYPE(void *, cudnnDropoutDescriptor_t);
GATUN_TYPE(void *, cudnnRNNDescriptor_t);
GATUN_TYPE(void *, cudnnRNNDataDescriptor_t);
GATUN_TYPE(void *, cudnnFilterDescriptor_t);
GATUN_TYPE(void *, cudnnConvolutionDescriptor_t);
#ifndef GATUN_CUDART_H
#ifndef GATUN_CUBLAS_H
GATUN_TYPE(void *, cudaStream_t);
#endif
#endif

GATUN_CONSTANT(CUDNN_DATA_FLOAT, 0);
GATUN_CONSTANT(CUDNN_DEFAULT_MATH, 0);
GATUN_CONSTANT(CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION, 2);
GATUN_CONSTANT(CUDNN_FMA_MATH, 3);
GATUN_CONSTANT(CUDNN_RNN_ALGO_STANDARD, 0);
GATUN_CONSTANT(CUDNN_RNN_RELU, 0);
GATUN_CONSTANT(CUDNN_RNN_TANH, 1);
GATUN_CONSTANT(CUDNN_LSTM, 2);
GATUN_CONSTANT(CUDNN_GRU, 3);
GATUN_CONSTANT(CUDNN_RNN_DOUBLE_BIAS, 2);
GATUN_CONSTANT(CUDNN_UNIDIRECTIONAL, 0);
GATUN_CONSTANT(CUDNN_BIDIRECTIONAL, 1);
GATUN_CONSTANT(CUDNN_LINEAR_INPUT, 0);
GATUN_CONSTANT(CUDNN_RNN_DATA_LAYOUT_SEQ_MAJOR_UNPACKED, 0);
GATUN_CONSTANT(CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED, 2);
GATUN_CONSTANT(CUDNN_FWD_MODE_INFERENCE, 0);
GATUN_CONSTANT(CUDNN_FWD_MODE_TRAINING, 1);
GATUN_CONSTANT(CUDNN_WGRAD_MODE_ADD, 0);
GATUN_CONSTANT(CUDNN_RNN_PADDED_IO_ENABLED, 1);
#ifndef GATUN_CHECK
/* One status, which cuDNN 9 numbers anew. */
GATUN_CONSTANT(CUDNN_8_STATUS_NOT_SUPPORTED, 9);
GATUN_CONSTANT(CUDNN_9_STATUS_NOT_SUPPORTED, 3000);
#endif
GATUN_CONSTANT(CUDNN_TENSOR_NCHW, 0);
GATUN_CONSTANT(CUDNN_CROSS_CORRELATION, 1);
GATUN_CONSTANT(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, 0);
GATUN_CONSTANT(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, 1);

size_t cudnnGetVersion(void);
const char *cudnnGetErrorString(cudnnStatus_t status);
cudnnStatus_t cudnnCreate(cudnnHandle_t *handle);
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle);
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream);
cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t *descriptor);
cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t descriptor, cudnnDataType_t type, int count,
                                         const int sizes[], const int strides[]);
cudnnStatus_t cudnnGetTensorNdDescriptor(const cudnnTensorDescriptor_t descriptor, int asked, cudnnDataType_t *type,
                                         int *count, int sizes[], int strides[]);
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t descriptor);
cudnnStatus_t cudnnCreateDropoutDescriptor(cudnnDropoutDescriptor_t *descriptor);
cudnnStatus_t cudnnSetDropoutDescriptor(cudnnDropoutDescriptor_t descriptor, cudnnHandle_t handle, float dropout,
                                        void *states, size_t stateBytes, unsigned long long seed);
cudnnStatus_t cudnnDestroyDropoutDescriptor(cudnnDropoutDescriptor_t descriptor);
cudnnStatus_t cudnnCreateRNNDescriptor(cudnnRNNDescriptor_t *descriptor);
cudnnStatus_t cudnnSetRNNDescriptor_v8(cudnnRNNDescriptor_t descriptor, cudnnRNNAlgo_t algorithm, cudnnRNNMode_t cell,
                                       cudnnRNNBiasMode_t bias, cudnnDirectionMode_t direction,
                                       cudnnRNNInputMode_t input, cudnnDataType_t type, cudnnDataType_t precision,
                                       cudnnMathType_t math, int32_t inputSize, int32_t hiddenSize,
                                       int32_t projectionSize, int32_t layers, cudnnDropoutDescriptor_t dropout,
                                       uint32_t flags);
cudnnStatus_t cudnnDestroyRNNDescriptor(cudnnRNNDescriptor_t descriptor);
cudnnStatus_t cudnnCreateRNNDataDescriptor(cudnnRNNDataDescriptor_t *descriptor);
cudnnStatus_t cudnnSetRNNDataDescriptor(cudnnRNNDataDescriptor_t descriptor, cudnnDataType_t type,
                                        cudnnRNNDataLayout_t layout, int maximumLength, int batch, int size,
                                        const int lengths[], void *paddingFill);
cudnnStatus_t cudnnDestroyRNNDataDescriptor(cudnnRNNDataDescriptor_t descriptor);
cudnnStatus_t cudnnGetRNNTempSpaceSizes(cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor, cudnnForwardMode_t mode,
                                        cudnnRNNDataDescriptor_t input, size_t *workspaceBytes, size_t *reserveBytes);
cudnnStatus_t cudnnGetRNNWeightSpaceSize(cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor, size_t *bytes);
cudnnStatus_t cudnnGetRNNWeightParams(cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor, int32_t pseudoLayer,
                                      size_t bytes, const void *weights, int32_t linearLayer,
                                      cudnnTensorDescriptor_t matrixDescriptor, void **matrix,
                                      cudnnTensorDescriptor_t biasDescriptor, void **bias);
cudnnStatus_t cudnnRNNForward(cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor, cudnnForwardMode_t mode,
                              const int32_t deviceLengths[], cudnnRNNDataDescriptor_t inputDescriptor,
                              const void *input, cudnnRNNDataDescriptor_t outputDescriptor, void *output,
                              cudnnTensorDescriptor_t hiddenDescriptor, const void *initialHidden, void *finalHidden,
                              cudnnTensorDescriptor_t cellDescriptor, const void *initialCell, void *finalCell,
                              size_t weightBytes, const void *weights, size_t workspaceBytes, void *workspace,
                              size_t reserveBytes, void *reserve);
cudnnStatus_t cudnnRNNBackwardData_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor,
                                      const int32_t deviceLengths[], cudnnRNNDataDescriptor_t outputDescriptor,
                                      const void *output, const void *outputGradient,
                                      cudnnRNNDataDescriptor_t inputDescriptor, void *inputGradient,
                                      cudnnTensorDescriptor_t hiddenDescriptor, const void *initialHidden,
                                      const void *finalHiddenGradient, void *initialHiddenGradient,
                                      cudnnTensorDescriptor_t cellDescriptor, const void *initialCell,
                                      const void *finalCellGradient, void *initialCellGradient, size_t weightBytes,
                                      const void *weights, size_t workspaceBytes, void *workspace, size_t reserveBytes,
                                      void *reserve);
cudnnStatus_t cudnnRNNBackwardWeights_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t descriptor, cudnnWgradMode_t mode,
                                         const int32_t deviceLengths[], cudnnRNNDataDescriptor_t inputDescriptor,
                                         const void *input, cudnnTensorDescriptor_t hiddenDescriptor,
                                         const void *initialHidden, cudnnRNNDataDescriptor_t outputDescriptor,
                                         const void *output, size_t weightBytes, void *weightsGradient,
                                         size_t workspaceBytes, void *workspace, size_t reserveBytes, void *reserve);

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t *descriptor);
cudnnStatus_t cudnnSetFilterNdDescriptor(cudnnFilterDescriptor_t descriptor, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int count, const int sizes[]);
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t descriptor);
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t *descriptor);
cudnnStatus_t cudnnSetConvolutionNdDescriptor(cudnnConvolutionDescriptor_t descriptor, int axes, const int pads[],
                                              const int strides[], const int dilations[], cudnnConvolutionMode_t mode,
                                              cudnnDataType_t computed);
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t descriptor, int groups);
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t descriptor, cudnnMathType_t math);
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t descriptor);
cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, const cudnnTensorDescriptor_t input,
                                                      const cudnnFilterDescriptor_t weights,
                                                      const cudnnConvolutionDescriptor_t convolution,
                                                      const cudnnTensorDescriptor_t output,
                                                      cudnnConvolutionFwdAlgo_t algorithm, size_t *bytes);
cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void *alpha,
                                      const cudnnTensorDescriptor_t inputDescriptor, const void *input,
                                      const cudnnFilterDescriptor_t weightsDescriptor, const void *weights,
                                      const cudnnConvolutionDescriptor_t convolution,
                                      cudnnConvolutionFwdAlgo_t algorithm, void *workspace, size_t workspaceBytes,
                                      const void *beta, const cudnnTensorDescriptor_t outputDescriptor, void *output);

#endif
